package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hallmark/signing/internal/openpgp"
)

// readFile reads a file and returns its permissions. Of one that is longer than
// any key, it returns enough to tell.
func readFile(path string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.IsDir() {
		return nil, 0, fmt.Errorf("%s is a folder; a key file is expected", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, openpgp.MaxKey+1))
	return data, info.Mode().Perm(), err
}

// checkMode refuses a private key that others can read or that the group can
// change. A group may read it: so do ssl-cert of Debian and fsGroup of
// Kubernetes hand out keys.
func checkMode(path string, mode fs.FileMode) error {
	if mode&0o027 != 0 {
		return fmt.Errorf("others can read or change this private key (mode %04o); run: chmod 600 %s", mode, path)
	}
	return nil
}

// createFile writes a file that is not there yet. Once it returns nil, the
// file is durable. At no moment is there a part of it under its name, not even
// after a crash, and of several callers at once one succeeds.
// The error wraps [fs.ErrExist] if there is a file of that name.
func createFile(path string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	// A rename would replace a key that another process has just made.
	if err := os.Link(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// createDir makes a folder, and those above it, for the owner alone.
func createDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The folder's own entry, and that of the one above it, which may be new.
	parent := filepath.Dir(dir)
	return errors.Join(syncDir(parent), syncDir(filepath.Dir(parent)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
