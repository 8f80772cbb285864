package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"hallmark/proxy/config"
	"hallmark/signing/keys"
	"hallmark/signing/scheme"
)

func keysCommand(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "List, generate, import and export keys",
		Long: `Every repository has a key ring of its own, and a key in it has one purpose. Keys that
are generated or imported lie under keys/ in the data folder; the section keys: of the
configuration says which of them sign. Set HALLMARK_KEY_PASSPHRASE, or passphrase_file,
to have them stored encrypted.

The purposes are image (container images), index (the index of a package repository),
package (signatures in packages), file (F.asc and F.sigstore.json beside each file) and
npm (npm's signatures). Keys for the last four have a scheme: openpgp (apt, dnf, zypper,
pacman, F.asc), rsa (apk, NuGet, RubyGems) or ecdsa (npm, F.sigstore.json).

NuGet and RubyGems know a key by an X.509 certificate, which is made with the key, is
self-signed, and lasts ten years. It stands behind the private key in the same file.`,
	}
	cmd.AddCommand(keysListCommand(w), keysGenerateCommand(w), keysImportCommand(w), keysExportCommand(w), keysAcceptCommand(w))
	return cmd
}

// listedKey is a key as keys list prints it.
type listedKey struct {
	Repository  string         `json:"repository"`
	Name        string         `json:"name"`
	Purpose     scheme.Purpose `json:"purpose"`
	Scheme      scheme.Family  `json:"scheme"`
	Kind        string         `json:"kind"`
	Fingerprint string         `json:"fingerprint"`
	UID         string         `json:"uid,omitempty"`
	Expires     *time.Time     `json:"expires,omitempty"` // nil: never
	Path        string         `json:"path"`
}

func listKeys(store *keys.Store, c *config.Config, repo string) ([]listedKey, error) {
	public, err := store.Public(repo, keySpecs(c, repo))
	if err != nil {
		return nil, err
	}
	var list []listedKey
	for _, p := range public {
		k := listedKey{
			Repository: repo, Name: p.Name, Purpose: p.Purpose, Scheme: p.Key.Family(), Kind: p.Key.Kind(),
			Fingerprint: p.Key.Fingerprint(), UID: p.Key.UserID(), Path: p.Path,
		}
		if end := p.Key.Expires(); !end.IsZero() {
			k.Expires = &end
		}
		list = append(list, k)
	}
	return list, nil
}

// openKeys returns the configuration, which must have the repositories, and the store of its keys.
func (w *world) openKeys(repositories ...string) (*config.Config, *keys.Store, error) {
	c, err := w.load()
	if err != nil {
		return nil, nil, err
	}
	for _, r := range repositories {
		if err := checkRepository(c, r); err != nil {
			return nil, nil, err
		}
	}
	store, err := keyStore(c)
	return c, store, err
}

func keysListCommand(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [REPOSITORY]",
		Short: "List the keys that sign",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, store, err := w.openKeys(args...)
			if err != nil {
				return err
			}
			names := args
			if len(names) == 0 {
				names = sortedNames(c.Repositories)
			}
			all := []listedKey{}
			for _, n := range names {
				list, err := listKeys(store, c, n)
				if err != nil {
					return fmt.Errorf("%w (keys are generated at the first start, or by proxy keys generate)", err)
				}
				all = append(all, list...)
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(all)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(tw, "REPOSITORY\tPURPOSE\tSCHEME\tKIND\tFINGERPRINT\tEXPIRES\tFILE")
			for _, k := range all {
				expires := "never"
				if k.Expires != nil {
					expires = k.Expires.Format(time.DateOnly)
				}
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Repository, k.Purpose, k.Scheme, k.Kind, k.Fingerprint, expires, k.Path)
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func keysGenerateCommand(w *world) *cobra.Command {
	var spec keys.Spec
	cmd := &cobra.Command{
		Use:   "generate [REPOSITORY KIND]",
		Short: "Generate the keys that are lacking, or one more",
		Long: `Generate without arguments makes every key that the configuration asks for and that is
not there. A server does so at its first start, but not with PostgreSQL, where every replica
must have the same keys: run it once, and give all replicas the files.

With arguments, generate makes a key of a kind beside those that are there, and prints what to write
under keys: in the configuration to let it sign. Two keys of a purpose both sign, so that
clients can move from one to the other.

The kinds are p224, p256, p384, p521, rsa2048, rsa3072, rsa4096 and ed25519 for images,
all of them but p224 with --scheme openpgp, p256, p384 and p521 with --scheme ecdsa, and
those of RSA with --scheme rsa. OpenPGP keys are of version 4 and do not expire; an
ed25519 one is of algorithm 22, EdDSA, which today's clients take.`,
		Example: `  proxy keys generate images p384
  proxy keys generate debian rsa4096 --purpose index --scheme openpgp --uid "Example packages"
  proxy keys generate --config config.yml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return cobra.ExactArgs(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return generateLacking(cmd, w)
			}
			c, store, err := w.openKeys(args[0])
			if err != nil {
				return err
			}
			if err := checkPurpose(c, args[0], &spec); err != nil {
				return err
			}
			spec.Generate = args[1]
			spec.Certificate = certified(c, args[0], spec.Purpose, spec.Scheme)
			made, err := store.Generate(args[0], spec)
			if err != nil {
				return err
			}
			return tellKey(cmd.OutOrStdout(), args[0], made)
		},
	}
	purposeFlag(cmd, &spec.Purpose)
	cmd.Flags().StringVar(&spec.Scheme, "scheme", "", "the family of a key for packages: openpgp, rsa or ecdsa")
	cmd.Flags().StringVar(&spec.UID, "uid", "", "the user ID of an OpenPGP key (default \"Hallmark REPOSITORY\")")
	return cmd
}

func purposeFlag(cmd *cobra.Command, p *scheme.Purpose) {
	cmd.Flags().StringVar((*string)(p), "purpose", "", "what the key signs: image, index, package, file or npm (default image where that is all)")
}

// checkPurpose fills in the purpose where a repository has but one, and asks for what only the user can know.
func checkPurpose(c *config.Config, repo string, spec *keys.Spec) error {
	images := c.Repositories[repo].Format == config.FormatOCI
	switch {
	case spec.Purpose == "" && images:
		spec.Purpose = scheme.Image
	case spec.Purpose == "":
		return fmt.Errorf("say what the key of %s is for: --purpose index, package, file or npm", repo)
	}
	if spec.Scheme == "" && spec.Purpose == scheme.NPM {
		spec.Scheme = string(scheme.ECDSA)
	}
	if spec.Scheme == "" && (spec.Purpose == scheme.Index || spec.Purpose == scheme.Package || spec.Purpose == scheme.File) {
		return fmt.Errorf("say what kind of signatures a key of purpose %s makes: --scheme openpgp, rsa or ecdsa", spec.Purpose)
	}
	return nil
}

// certified reports whether keys of a purpose and a family stand in X.509 certificates: a repository has at least one key
// for each use, of which the format has said so.
func certified(c *config.Config, repo string, p scheme.Purpose, family string) bool {
	return slices.ContainsFunc(c.Keys[repo], func(k config.Key) bool {
		return k.Certificate && k.Purpose == string(p) && k.Scheme == family
	})
}

func keysImportCommand(w *world) *cobra.Command {
	var purpose scheme.Purpose
	cmd := &cobra.Command{
		Use:   "import REPOSITORY FILE",
		Short: "Bring a private key along",
		Long: `Import copies a private key into the data folder: cosign's encrypted cosign.key,
PKCS #8 (encrypted too), SEC 1 or PKCS #1, in PEM, or what gpg --export-secret-keys and
--export-secret-subkeys write, armored or not; - reads standard input. The passphrase
of an encrypted key is HALLMARK_KEY_PASSPHRASE or passphrase_file, and encrypts the copy.

Where clients want an X.509 certificate, FILE may hold a self-signed one beside the key;
otherwise one is made, and kept with the copy.`,
		Example: `  proxy keys import images cosign.key
  gpg --export-secret-keys 0123456789ABCDEF | proxy keys import debian - --purpose index`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, store, err := w.openKeys(args[0])
			if err != nil {
				return err
			}
			// What kind of signatures it makes, the key says itself.
			spec := keys.Spec{Purpose: purpose, Scheme: "any"}
			if err := checkPurpose(c, args[0], &spec); err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[1] != "-" {
				f, err := os.Open(args[1])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			passphrase, err := keyPassphrase(c)
			if err != nil {
				return err
			}
			spec.Certificate = certified(c, args[0], spec.Purpose, string(scheme.RSA))
			made, err := store.Import(args[0], spec, in, passphrase)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			return tellKey(cmd.OutOrStdout(), args[0], made)
		},
	}
	purposeFlag(cmd, &purpose)
	return cmd
}

func tellKey(w io.Writer, repo string, spec keys.Spec) error {
	family := ""
	if spec.Scheme != "" {
		family = "scheme: " + spec.Scheme + ", "
	}
	_, err := fmt.Fprintf(w, "The key is in %s. To let it sign, write in the configuration, and start the server again:\n\nkeys:\n  %s:\n    - {purpose: %s, %skey: \"%s\"}\n",
		strings.TrimPrefix(spec.Key, "file:"), repo, spec.Purpose, family, spec.Key)
	return err
}

func keysExportCommand(w *world) *cobra.Command {
	var private bool
	cmd := &cobra.Command{
		Use:   "export REPOSITORY [KEY]",
		Short: "Print a public key, for whoever verifies",
		Long: `Export prints the public half of a key of the repository in PEM (its certificate, if it
has one), or in armor if it is of OpenPGP; the newest if none is named (keys list --json has the names). With --private it
prints the private key, as it is stored: encrypted if a passphrase is set. gpg --import
reads it.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, store, err := w.openKeys(args[0])
			if err != nil {
				return err
			}
			specs := keySpecs(c, args[0])
			key := argument(args, 1)
			if key == "" {
				public, err := store.Public(args[0], specs)
				if err != nil {
					return err
				}
				key = public[len(public)-1].Name
			}
			export := store.ExportPublic
			if private {
				export = store.ExportPrivate
			}
			pem, err := export(args[0], specs, key)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(pem)
			return err
		},
	}
	cmd.Flags().BoolVar(&private, "private", false, "print the private key")
	return cmd
}
