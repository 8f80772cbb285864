package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"hallmark/proxy/config"
)

func repoReindexCommand(w *world) *cobra.Command {
	return &cobra.Command{
		Use:   "reindex [NAME]",
		Short: "Make and sign every index of a package repository again",
		Long: `Reindex reads every package again, and makes and signs every index file anew. It is for
a repository that verify has found fault with; without a name, for every one. Uploads
and clients go on meanwhile.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eachRepository(w, args, func(named []string) error {
				cl, err := connect(cmd, w, named, &credentials{})
				if err != nil {
					return err
				}
				defer cl.close()
				switch images := cl.config.Repositories[cl.repo].Format == config.FormatOCI; {
				case images && len(args) > 0:
					return fmt.Errorf("%s is a repository of images, which have no index: use proxy repo sign", cl.repo)
				case images:
					return nil
				}
				return cl.administrate(cmd, "reindex", nil)
			})
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
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", cl.repo, line.Progress)
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
