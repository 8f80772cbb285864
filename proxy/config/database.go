package config

import (
	"net/url"
	"slices"
	"strings"
)

// A Database is the address of a database, postgres://…, or empty. Its password
// does not show when it is printed or logged.
type Database string

// Address returns the address with all that is in it.
func (d Database) Address() string { return string(d) }

// String returns the address without its password.
func (d Database) String() string {
	if d == "" {
		return ""
	}
	u, err := url.Parse(string(d))
	if err != nil {
		return "[unreadable]"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Del(name)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// GoString hides the password from %#v.
func (d Database) GoString() string { return d.String() }

// MarshalText hides the password from encoders.
func (d Database) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText takes any text; check looks at it.
func (d *Database) UnmarshalText(text []byte) error {
	*d = Database(text)
	return nil
}

func (k *checker) checkDatabase() {
	if k.Database == "" {
		return
	}
	u, err := url.Parse(k.Database.Address())
	switch {
	case err != nil:
		k.fault("database", "is no address: write postgres://USER@HOST/NAME, with %%XX for what is special in a password, or leave it empty for SQLite under data")
	case !slices.Contains([]string{"postgres", "postgresql"}, u.Scheme):
		k.fault("database", "is no address of PostgreSQL: write postgres://USER@HOST/NAME, or leave it empty for SQLite under data")
	case strings.Trim(u.Path, "/") == "" && u.Query().Get("dbname") == "":
		k.fault("database", "names no database: write postgres://USER@HOST/NAME")
	}
}
