package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hallmark/proxy/ledger"
	"hallmark/signing"
)

// generateLacking makes the keys that are lacking. Where replicas share a database, they are recorded in it; a repository
// that has keys there gets no others.
func generateLacking(cmd *cobra.Command, w *world) error {
	c, store, err := w.openKeys()
	if err != nil {
		return err
	}
	var l *ledger.Ledger
	if c.Database != "" {
		if l, err = openLedger(cmd.Context(), c); err != nil {
			return err
		}
		defer l.Close()
	}
	rings := make(map[string]*signing.Ring)
	made := 0
	for _, name := range sortedNames(c.Repositories) {
		from := store
		if l != nil {
			shared, err := l.Ring(cmd.Context(), name)
			if err != nil {
				return err
			}
			if len(shared) > 0 {
				from = store.Fixed()
			}
		}
		ring, generated, err := from.Ring(name, keySpecs(c, name))
		if err != nil && from != store {
			return fmt.Errorf("%w: the replicas of this database have keys of %s already: copy their files", err, name)
		}
		if err != nil {
			return err
		}
		rings[name] = ring
		made += len(generated)
		for _, path := range generated {
			fmt.Fprintln(cmd.OutOrStdout(), path)
		}
	}
	if l != nil {
		if err := agree(cmd.Context(), l, rings); err != nil {
			return err
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d new keys. Keep a copy: who loses them can sign no more under them.\n", made)
	return nil
}

func keysAcceptCommand(w *world) *cobra.Command {
	return &cobra.Command{
		Use:   "accept [REPOSITORY]",
		Short: "Make the keys of this configuration those that all replicas must have",
		Long: `Replicas that share a PostgreSQL database have the same keys: one whose keys differ from
those that the database has recorded does not start. Accept records those of this
configuration instead, of one repository or of all. To add a key or to take one out, give
every replica the files and the configuration, run accept once, and start the replicas again,
one after the other.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, store, err := w.openKeys(args...)
			if err != nil {
				return err
			}
			if c.Database == "" {
				return errors.New("this configuration has no database that replicas share: its keys need not be accepted")
			}
			l, err := openLedger(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer l.Close()
			names := args
			if len(names) == 0 {
				names = sortedNames(c.Repositories)
			}
			for _, name := range names {
				ring, _, err := store.Fixed().Ring(name, keySpecs(c, name))
				if err != nil {
					return err
				}
				if err := l.ReplaceRing(cmd.Context(), name, ringKeys(ring)); err != nil {
					return err
				}
				for _, k := range ringKeys(ring) {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %s %s\n", name, k.Purpose, k.Fingerprint)
				}
			}
			return nil
		},
	}
}
