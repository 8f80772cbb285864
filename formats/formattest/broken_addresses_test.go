package formattest

import (
	"errors"
	"path"
	"strings"

	"hallmark/formats/format"
)

func brokenAddresses() []broken {
	return []broken{
		{"it panics in Route", "every request is routed or refused", "Route(", tiny{
			route: func(r format.Request) (format.Op, error) {
				if strings.HasPrefix(r.Path, "dists") {
					panic("index out of range")
				}
				return routeTiny(r)
			},
		}},
		{"it routes to a path that is not clean", "every request is routed or refused", "is not clean", tiny{
			route: func(r format.Request) (format.Op, error) {
				op, err := routeTiny(r)
				if err == nil && op.Kind == format.Get && strings.HasPrefix(r.Path, "%2e%2e/") {
					op.Paths = []string{"../x"}
				}
				return op, err
			},
		}},
		{"it takes a GET for an upload", "every request is routed or refused", "not what the method is for", tiny{
			route: func(r format.Request) (format.Op, error) {
				if r.Path == "pool" {
					return format.Op{Kind: format.Put}, nil
				}
				return routeTiny(r)
			},
		}},
		{"its Route returns an error of its own", "every request is routed or refused", "none of the contract's", tiny{
			route: func(r format.Request) (format.Op, error) {
				if _, err := routeTiny(r); err != nil {
					return format.Op{}, errors.New("no")
				}
				return routeTiny(r)
			},
		}},
		{"its index cannot be fetched", "a package is taken, served and removed", "cannot be fetched", tiny{
			route: func(r format.Request) (format.Op, error) {
				if r.Method == "GET" && strings.Contains(r.Path, "by-hash") {
					return format.Op{}, format.NotFoundf("no")
				}
				return routeTiny(r)
			},
		}},
		{"an address stands for two packages", "a package is taken, served and removed", "not the one that was signed", tiny{
			route: func(r format.Request) (format.Op, error) {
				op, err := routeTiny(r)
				if name, ok := strings.CutPrefix(r.Path, "two/"); ok && strings.HasSuffix(name, ".tiny") && op.Kind == format.Get {
					op.Paths = []string{"one/" + name, r.Path}
				}
				return op, err
			},
		}},
		{"its packages cannot be deleted", "a package is taken, served and removed", "cannot be deleted", tiny{
			route: func(r format.Request) (format.Op, error) {
				if r.Method == "DELETE" {
					return format.Op{}, format.NotAllowedf("no")
				}
				return routeTiny(r)
			},
		}},
		{"its index can be uploaded", "an index file is neither uploaded nor deleted", "a PUT to", tiny{
			route: func(r format.Request) (format.Op, error) {
				if r.Method == "PUT" && path.Base(r.Path) == "MANIFEST" {
					return format.Op{Kind: format.Put, Dir: path.Dir(r.Path), Name: "pkgz_1.0.tiny"}, nil
				}
				return routeTiny(r)
			},
		}},
	}
}
