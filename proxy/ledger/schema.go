package ledger

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3"
)

// migrate brings the schema up to the newest one that this program knows. A database that knows more is left alone. Of
// several processes that start at once, one does it and the others wait.
func (d *database) migrate(ctx context.Context) error {
	return d.exclusively(ctx, "migrations", func() error {
		provider, err := goose.NewProvider(d.dialect, d.write, d.migrations, goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return err
		}
		there, known, err := provider.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read the version of the schema: %w", err)
		}
		if there > known {
			return fmt.Errorf("its schema has version %d and this program knows versions up to %d: start the newer program that has written it, or restore a backup", there, known)
		}
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("bring the schema from version %d to %d: %w", there, known, err)
		}
		return nil
	})
}
