package blob

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
)

// makeFolders makes all folders that blobs go to, so that to put one syncs no more than its own folder.
func (s *Store) makeFolders() error {
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(s.root, folder, hex.EncodeToString([]byte{byte(i)})), 0o777); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(s.root, uploads), 0o777); err != nil {
		return err
	}
	for dir := filepath.Join(s.root, folder); len(dir) >= len(s.root); dir = filepath.Dir(dir) {
		if err := syncFolder(dir); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
