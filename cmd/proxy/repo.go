package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

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
	Behind   string      `json:"behind"` // the upstream's URL, or "embedded"
	Images   []string    `json:"images"`
	Schemes  []string    `json:"signatures"`
	Keys     []listedKey `json:"keys"`
	config   config.Repository
	keyFault error
}

func summarize(c *config.Config, repo string) (*summary, error) {
	r := c.Repositories[repo]
	s := &summary{Name: repo, Format: r.Format, Behind: "embedded", Images: r.Images, Schemes: r.Signatures, config: r}
	if r.Upstream != nil {
		s.Behind = r.Upstream.URL
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
			fmt.Fprintln(tw, "NAME\tFORMAT\tIMAGES\tIN FRONT OF")
			for _, s := range all {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", s.Name, s.Format, strings.Join(s.Images, " "), s.Behind)
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
			fmt.Fprintf(tw, "name\t%s\nformat\t%s\nimages\t%s\nin front of\t%s\nsignatures\t%s\npublic keys\t%s/-/keys/%s/\n",
				s.Name, s.Format, strings.Join(s.Images, " "), s.Behind, strings.Join(s.Schemes, " "), c.BaseURL(), s.Name)
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
index file, and holds them against their digests, their signatures and each other.

It ends at the first that is not as it must be, with a status other than 0.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := connect(cmd, w, args, &creds)
			if err != nil {
				return err
			}
			defer cl.close()
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
			count, err := cl.eachTag(cmd, argument(args, 1), func(image, tag string) error {
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
		},
	}
	creds.flags(cmd)
	return cmd
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

func repoReindexCommand(w *world) *cobra.Command {
	return &cobra.Command{
		Use:   "reindex [NAME]",
		Short: "Make and sign every index of a package repository again",
		Long: `Reindex reads every package again, and makes and signs every index file anew. It is for
a repository that verify has found fault with. Uploads and clients go on meanwhile.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := connect(cmd, w, args, &credentials{})
			if err != nil {
				return err
			}
			defer cl.close()
			if cl.config.Repositories[cl.repo].Format == config.FormatOCI {
				return fmt.Errorf("%s is a repository of images, which have no index: use proxy repo sign", cl.repo)
			}
			return cl.administrate(cmd, "reindex", nil)
		},
	}
}

func repoCollectCommand(w *world) *cobra.Command {
	var untagged bool
	cmd := &cobra.Command{
		Use:   "gc [NAME]",
		Short: "Remove what nothing needs any more",
		Long: `Of package repositories, gc removes the bytes that no package, index or recent
generation names. It does so for all of them at once, and a running server does it
every hour by itself.

Of images, gc removes the signatures whose images have gone, and the blobs that no manifest
names. A signature whose image is there stays, tagged or not. With --untagged, the
manifests go too that neither a tag nor a tagged multi-platform image names.

A running server does the work. It answers pushes 503 with Retry-After meanwhile;
pulls go on. All repositories of the embedded registry share its blobs, so it is
cleaned up as a whole.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := w.load()
			if err != nil {
				return err
			}
			repos, err := collectable(c, argument(args, 0))
			if err != nil {
				return err
			}
			var query url.Values
			if untagged {
				query = url.Values{"untagged": {"true"}}
			}
			cl, err := connect(cmd, w, repos[:1], &credentials{})
			if err != nil {
				return err
			}
			defer cl.close()
			for _, repo := range repos {
				cl.repo = repo
				if err := cl.administrate(cmd, "gc", query); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&untagged, "untagged", false, "remove untagged manifests, too")
	return cmd
}

// collectable returns the repositories to collect garbage of: the one that is named, or one of each kind that is kept
// here, which stands for all of its kind.
func collectable(c *config.Config, repo string) ([]string, error) {
	if repo != "" {
		if err := checkRepository(c, repo); err != nil {
			return nil, err
		}
		if c.Repositories[repo].Upstream != nil {
			return nil, fmt.Errorf("the repository %s is kept by %s, which collects its own garbage", repo, c.Repositories[repo].Upstream.URL)
		}
		return []string{repo}, nil
	}
	var repos []string
	kinds := map[bool]bool{}
	for _, n := range sortedNames(c.Repositories) {
		images := c.Repositories[n].Format == config.FormatOCI
		if c.Repositories[n].Upstream == nil && !kinds[images] {
			kinds[images] = true
			repos = append(repos, n)
		}
	}
	if len(repos) == 0 {
		return nil, errors.New("no repository is kept by the embedded registry; upstreams collect their own garbage")
	}
	return repos, nil
}

// administrate has the server do long work on the repository and prints its progress.
func (cl *client) administrate(cmd *cobra.Command, verb string, query url.Values) error {
	registry, err := name.NewRegistry(cl.host)
	if err != nil {
		return err
	}
	u := url.URL{Scheme: registry.Scheme(), Host: cl.host, Path: "/-/api/v1/repositories/" + cl.repo + "/" + verb, RawQuery: query.Encode()}
	if cl.transport != http.DefaultTransport {
		u.Scheme = "https"
	}
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodPost, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+cl.admin)
	resp, err := (&http.Client{Transport: cl.transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s: %s", resp.Status, firstError(resp))
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		var line struct {
			Progress, Error string
			Done            bool
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		switch {
		case line.Error != "":
			return errors.New(line.Error)
		case line.Done:
			return nil
		}
		fmt.Fprintln(cmd.OutOrStdout(), line.Progress)
	}
	return errors.New("the server broke off; its log says why")
}

// firstError is the message of an OCI error.
func firstError(resp *http.Response) string {
	var doc struct{ Errors []struct{ Message string } }
	if json.NewDecoder(resp.Body).Decode(&doc) != nil || len(doc.Errors) == 0 {
		return "it does not say why"
	}
	return doc.Errors[0].Message
}
