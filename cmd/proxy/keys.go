package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

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
to have them stored encrypted.`,
	}
	cmd.AddCommand(keysListCommand(w), keysGenerateCommand(w), keysImportCommand(w), keysExportCommand(w))
	return cmd
}

// listedKey is a key as keys list prints it.
type listedKey struct {
	Repository  string         `json:"repository"`
	Name        string         `json:"name"`
	Purpose     scheme.Purpose `json:"purpose"`
	Kind        string         `json:"kind"`
	Fingerprint string         `json:"fingerprint"`
	Path        string         `json:"path"`
}

func listKeys(store *keys.Store, c *config.Config, repo string) ([]listedKey, error) {
	public, err := store.Public(repo, keySpecs(c, repo))
	if err != nil {
		return nil, err
	}
	var list []listedKey
	for _, p := range public {
		list = append(list, listedKey{repo, p.Name, p.Purpose, p.Key.Kind(), p.Key.Fingerprint(), p.Path})
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
					return fmt.Errorf("%w (keys are generated at the first start)", err)
				}
				all = append(all, list...)
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(all)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(tw, "REPOSITORY\tPURPOSE\tKIND\tFINGERPRINT\tFILE")
			for _, k := range all {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", k.Repository, k.Purpose, k.Kind, k.Fingerprint, k.Path)
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func keysGenerateCommand(w *world) *cobra.Command {
	var purpose string
	cmd := &cobra.Command{
		Use:   "generate REPOSITORY KIND",
		Short: "Generate one more key",
		Long: `Generate makes a key of a kind (p224, p256, p384, p521, rsa2048, rsa3072, rsa4096,
ed25519) beside those that are there, and prints what to write under keys: in the
configuration to let it sign. Two keys of a purpose both sign, so that clients can move
from one to the other.`,
		Example: "  proxy keys generate images p384",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, store, err := w.openKeys(args[0])
			if err != nil {
				return err
			}
			path, err := store.Generate(args[0], scheme.Purpose(purpose), args[1])
			if err != nil {
				return err
			}
			return tellKey(cmd.OutOrStdout(), args[0], purpose, path)
		},
	}
	cmd.Flags().StringVar(&purpose, "purpose", string(scheme.Image), "what the key signs")
	return cmd
}

func keysImportCommand(w *world) *cobra.Command {
	var purpose string
	cmd := &cobra.Command{
		Use:   "import REPOSITORY FILE",
		Short: "Bring a private key along",
		Long: `Import copies a private key into the data folder: cosign's encrypted cosign.key,
PKCS #8 (encrypted too), SEC 1 or PKCS #1, in PEM; - reads standard input. The passphrase
of an encrypted key is HALLMARK_KEY_PASSPHRASE or passphrase_file, and encrypts the copy.`,
		Example: "  proxy keys import images cosign.key",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, store, err := w.openKeys(args[0])
			if err != nil {
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
			path, err := store.Import(args[0], scheme.Purpose(purpose), in, passphrase)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			return tellKey(cmd.OutOrStdout(), args[0], purpose, path)
		},
	}
	cmd.Flags().StringVar(&purpose, "purpose", string(scheme.Image), "what the key signs")
	return cmd
}

func tellKey(w io.Writer, repo, purpose, path string) error {
	_, err := fmt.Fprintf(w, "The key is in %s. To let it sign, write in the configuration, and start the server again:\n\nkeys:\n  %s:\n    - {purpose: %s, key: \"file:%s\"}\n", path, repo, purpose, path)
	return err
}

func keysExportCommand(w *world) *cobra.Command {
	var private bool
	cmd := &cobra.Command{
		Use:   "export REPOSITORY [KEY]",
		Short: "Print a public key, for whoever verifies",
		Long: `Export prints the public half of a key of the repository in PEM, the newest if none is
named (keys list has the names). With --private it prints the private key, as it is
stored: encrypted if a passphrase is set.`,
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
