package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"hallmark/proxy/backend/upstream"
	"hallmark/proxy/config"
	"hallmark/signing"
)

func repoCommand(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repo",
		Short: "List, show, verify, sign, reindex and clean up repositories",
		Long: `These commands go through the server that has the data folder, if one runs, and
otherwise do their work themselves.`,
	}
	cmd.AddCommand(repoListCommand(w), repoShowCommand(w), repoVerifyCommand(w), repoSignCommand(w), repoReindexCommand(w), repoCollectCommand(w))
	return cmd
}

// summary is what list and show say of a repository.
type summary struct {
	Name     string      `json:"name"`
	Format   string      `json:"format"`
	Behind   string      `json:"behind"`          // the upstream's URL, or "embedded"
	URL      string      `json:"url,omitempty"`   // of a repository of packages
	Setup    string      `json:"setup,omitempty"` // how to point clients at it
	Images   []string    `json:"images,omitempty"`
	Schemes  []string    `json:"signatures,omitempty"`
	Cache    *usage      `json:"cache,omitempty"` // of packages behind an upstream
	Keys     []listedKey `json:"keys"`
	config   config.Repository
	keyFault error
}

// usage is how full a cache is.
type usage struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	Size  int64 `json:"size"` // how many bytes the files may have together
}

func (u usage) String() string {
	percent := 100 * float64(u.Bytes) / float64(max(u.Size, 1))
	return fmt.Sprintf("%d files with %d bytes, %.1f%% of %s", u.Files, u.Bytes, percent, config.Size(u.Size))
}

func summarize(c *config.Config, repo string) (*summary, error) {
	r := c.Repositories[repo]
	s := &summary{Name: repo, Format: r.Format, Behind: "embedded", Images: r.Images, Schemes: r.Signatures, config: r}
	if r.Upstream != nil {
		s.Behind = r.Upstream.URL
	}
	if r.Format != config.FormatOCI {
		s.URL, s.Setup = c.BaseURL()+"/"+repo+"/", c.BaseURL()+"/-/setup/"+repo
		if r.Upstream != nil {
			files, bytes, err := upstream.CacheUsage(cacheFolder(c, repo))
			if err != nil {
				return nil, err
			}
			s.Cache = &usage{files, bytes, int64(r.Upstream.Cache.Size)}
		}
	}
	store, err := keyStore(c)
	if err != nil {
		return nil, err
	}
	s.Keys, s.keyFault = listKeys(store, c, repo)
	return s, nil
}

func repoListCommand(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the repositories", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := w.load()
			if err != nil {
				return err
			}
			var all []*summary
			for _, n := range sortedNames(c.Repositories) {
				s, err := summarize(c, n)
				if err != nil {
					return err
				}
				all = append(all, s)
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(all)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(tw, "NAME\tFORMAT\tIMAGES OR URL\tIN FRONT OF")
			for _, s := range all {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", s.Name, s.Format, cmp.Or(s.URL, strings.Join(s.Images, " ")), s.Behind)
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// oneRepository returns the repository that the arguments name, or the only one.
func oneRepository(c *config.Config, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], checkRepository(c, args[0])
	}
	names := sortedNames(c.Repositories)
	if len(names) > 1 {
		return "", fmt.Errorf("say which repository: %s", strings.Join(names, ", "))
	}
	return names[0], nil
}

func repoShowCommand(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show [NAME]", Short: "Show a repository with its keys", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := w.load()
			if err != nil {
				return err
			}
			repo, err := oneRepository(c, args)
			if err != nil {
				return err
			}
			s, err := summarize(c, repo)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintf(tw, "name\t%s\nformat\t%s\n", s.Name, s.Format)
			if s.URL != "" {
				fmt.Fprintf(tw, "url\t%s\nset-up text\t%s\n", s.URL, s.Setup)
				if s.Cache != nil {
					fmt.Fprintf(tw, "in front of\t%s\ncache\t%s\n", s.Behind, s.Cache)
				}
			} else {
				fmt.Fprintf(tw, "images\t%s\nin front of\t%s\nsignatures\t%s\n", strings.Join(s.Images, " "), s.Behind, strings.Join(s.Schemes, " "))
			}
			fmt.Fprintf(tw, "public keys\t%s/-/keys/%s/\n", c.BaseURL(), s.Name)
			for _, k := range s.Keys {
				fmt.Fprintf(tw, "key %s\t%s %s\n", k.Name, k.Kind, k.Fingerprint)
			}
			if s.keyFault != nil {
				fmt.Fprintf(tw, "keys\t%s\n", s.keyFault)
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// eachTag calls f for every tag of the repository's images, or of the one that only names, as NAME or NAME:TAG.
func (cl *client) eachTag(cmd *cobra.Command, only string, f func(image, tag string) error) (count int, err error) {
	ctx := cmd.Context()
	image, tag, _ := strings.Cut(only, ":")
	images := []string{image}
	if only == "" {
		if images, err = cl.images(ctx); err != nil {
			return 0, err
		}
	} else if owner, ok := cl.config.RepositoryFor(image); !ok || owner != cl.repo {
		return 0, fmt.Errorf("the image %s does not belong to the repository %s", image, cl.repo)
	}
	for i, image := range images {
		tags := []string{tag}
		if tag == "" {
			if tags, err = cl.tags(ctx, image); err != nil {
				return count, fmt.Errorf("%s: %w", image, err)
			}
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "[%d/%d] %s: %d tags\n", i+1, len(images), image, len(tags))
		for _, tag := range tags {
			if err := f(image, tag); err != nil {
				return count, err
			}
			count++
		}
	}
	return count, nil
}

func repoVerifyCommand(w *world) *cobra.Command {
	var creds credentials
	cmd := &cobra.Command{
		Use:   "verify [NAME [IMAGE[:TAG]]]",
		Short: "Check that everything in a repository is what it was, and signed",
		Long: `Of a repository of images, verify checks the signature of every tag, or of the one
image that is named. Of a repository of packages, it reads every package and every
index file, and holds them against their digests, their signatures and each other; in
front of an upstream, it reads all that is kept of that, too.

Without a name it looks at every repository. It ends at the first that is not as it must
be, with a status other than 0.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eachRepository(w, args, func(args []string) error {
				cl, err := connect(cmd, w, args, &creds)
				if err != nil {
					return err
				}
				defer cl.close()
				if err := cl.verify(cmd, argument(args, 1)); err != nil {
					return fmt.Errorf("%s: %w", cl.repo, err)
				}
				return nil
			})
		},
	}
	creds.flags(cmd)
	return cmd
}

// eachRepository calls f with args, or with the name of each repository if they name none. It stops at the first error.
func eachRepository(w *world, args []string, f func(args []string) error) error {
	if len(args) > 0 {
		return f(args)
	}
	c, err := w.load()
	if err != nil {
		return err
	}
	for _, name := range sortedNames(c.Repositories) {
		if err := f([]string{name}); err != nil {
			return err
		}
	}
	return nil
}

// verify verifies a repository, or one image of it.
func (cl *client) verify(cmd *cobra.Command, image string) error {
	if cl.config.Repositories[cl.repo].Format != config.FormatOCI {
		return cl.administrate(cmd, "verify", nil)
	}
	store, err := keyStore(cl.config)
	if err != nil {
		return err
	}
	public, err := store.Public(cl.repo, keySpecs(cl.config, cl.repo))
	if err != nil {
		return err
	}
	var keys []signing.PublicKey
	for _, p := range public {
		keys = append(keys, p.Key)
	}
	count, err := cl.eachTag(cmd, image, func(image, tag string) error {
		repo, err := cl.image(image)
		if err != nil {
			return err
		}
		_, err = verifyImage(repo.Tag(tag), keys, cl.options(cmd.Context())...)
		return err
	})
	if err != nil {
		return fmt.Errorf("after %d good ones: %w", count, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d tags, all signed\n", cl.repo, count)
	return nil
}

func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func repoSignCommand(w *world) *cobra.Command {
	var creds credentials
	cmd := &cobra.Command{
		Use:   "sign [NAME [IMAGE[:TAG]]]",
		Short: "Sign what was in the registry before",
		Long: `Sign gives every tagged image of the repository the signature that a push through
the proxy would have given it, and every manifest of a multi-platform image its own.
What is signed already stays as it is, so that sign can be repeated and interrupted.

In front of another registry it needs the right to push there: what docker login has
stored for the proxy or for that registry, or --username and --password-stdin. It
lists the images by the registry's catalog; where there is none, name them one by one.`,
		Example: `  proxy repo sign images
  proxy repo sign images team/app
  proxy repo sign images team/app:1`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := connect(cmd, w, args, &creds)
			if err != nil {
				return err
			}
			defer cl.close()
			added := 0
			count, err := cl.eachTag(cmd, argument(args, 1), func(image, tag string) error {
				n, err := cl.sign(cmd, image, tag)
				added += n
				return err
			})
			if err != nil {
				return fmt.Errorf("after %d tags: %w", count, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d tags, %d manifests signed, the others were\n", cl.repo, count, added)
			return nil
		},
	}
	creds.flags(cmd)
	return cmd
}

// sign has one tag signed and says so.
func (cl *client) sign(cmd *cobra.Command, image, tag string) (added int, err error) {
	resp, err := cl.post(cmd.Context(), image, "/-/api/v1/repositories/"+cl.repo+"/sign", url.Values{"image": {image}, "reference": {tag}})
	if err != nil {
		return 0, fmt.Errorf("%s:%s: %w", image, tag, err)
	}
	defer resp.Body.Close()
	var result struct {
		Digest string
		Signed int
	}
	if err := json.NewDecoder(resp.Body).Decode(&result); err != nil {
		return 0, err
	}
	what := "was signed"
	if result.Signed > 0 {
		what = fmt.Sprintf("%d signed now", result.Signed)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s:%s@%s %s\n", image, tag, result.Digest, what)
	return result.Signed, nil
}
