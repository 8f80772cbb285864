package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hallmark/proxy/config"
	"hallmark/proxy/ledger"
	"hallmark/signing"
	"hallmark/signing/keys"
	"hallmark/signing/scheme"
)

// keyStore returns the store of the configuration's keys.
func keyStore(c *config.Config) (*keys.Store, error) {
	passphrase, err := keyPassphrase(c)
	return keys.Open(filepath.Join(c.Data, "keys"), passphrase), err
}

// keyPassphrase returns what keys are encrypted with, nil for nothing.
func keyPassphrase(c *config.Config) ([]byte, error) {
	if c.KeyPassphrase != "" || c.PassphraseFile == "" {
		return []byte(c.KeyPassphrase), nil
	}
	data, err := os.ReadFile(c.PassphraseFile)
	if err != nil {
		return nil, fmt.Errorf("passphrase_file: %w", err)
	}
	return []byte(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")), nil
}

// keySpecs returns what the configuration says of a repository's keys.
func keySpecs(c *config.Config, repository string) []keys.Spec {
	var specs []keys.Spec
	for _, k := range c.Keys[repository] {
		specs = append(specs, keys.Spec{
			Purpose: scheme.Purpose(k.Purpose), Scheme: k.Scheme, Generate: k.Generate, Key: k.Key, UID: k.UID, Certificate: k.Certificate,
		})
	}
	return specs
}

// openRings opens the ring of every repository. What is lacking is generated, unless replicas share a database: then it
// is an error, since each would have keys of its own.
func openRings(c *config.Config) (rings map[string]*signing.Ring, generated []string, err error) {
	store, err := keyStore(c)
	if err != nil {
		return nil, nil, err
	}
	specs := make(map[string][]keys.Spec)
	for name := range c.Repositories {
		specs[name] = keySpecs(c, name)
	}
	if c.Database != "" {
		store = store.Fixed()
	}
	rings, generated, err = store.Rings(specs)
	if c.Database != "" && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w. With PostgreSQL no key is generated at the start: run proxy keys generate once, and give every replica the same files, by a copy of %s or by key: file:PATH",
			err, filepath.Join(c.Data, "keys"))
	}
	if err != nil {
		return nil, nil, err
	}
	var all []*signing.Ring
	for _, name := range sortedNames(c.Repositories) {
		all = append(all, rings[name])
	}
	return rings, generated, signing.CheckDistinct(all...)
}

// agree records the public keys of the rings where the replicas' database has none, and returns an error if it has
// others: signatures of two replicas would not be by the same keys.
func agree(ctx context.Context, l *ledger.Ledger, rings map[string]*signing.Ring) error {
	for _, name := range slices.Sorted(maps.Keys(rings)) {
		mine := ringKeys(rings[name])
		shared, err := l.RecordRing(ctx, name, mine)
		if err != nil {
			return err
		}
		if differ := difference(mine, shared); differ != "" {
			return fmt.Errorf("repository %s: %s the keys that the replicas of this database share: give every replica the same key files, or, if the keys shall change, run proxy keys accept %s and start the replicas again",
				name, differ, name)
		}
	}
	return nil
}

// ringKeys are the public keys of a ring as the ledger records them.
func ringKeys(ring *signing.Ring) []ledger.RingKey {
	var all []ledger.RingKey
	for _, k := range ring.All() {
		all = append(all, ledger.RingKey{Purpose: string(k.Purpose()), Fingerprint: k.Public().Fingerprint()})
	}
	return all
}

// difference says how keys differ from those that are shared. Empty: they do not.
func difference(mine, shared []ledger.RingKey) string {
	for _, k := range mine {
		if !slices.Contains(shared, k) {
			return fmt.Sprintf("its key %s of purpose %s is not among", k.Fingerprint, k.Purpose)
		}
	}
	for _, k := range shared {
		if !slices.Contains(mine, k) {
			return fmt.Sprintf("it has no key %s of purpose %s, which is among", k.Fingerprint, k.Purpose)
		}
	}
	return ""
}
