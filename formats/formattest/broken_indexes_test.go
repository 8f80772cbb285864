package formattest

import (
	"bytes"
	"fmt"
	"slices"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

func brokenIndexes() []broken {
	counter := 0 // a state that no format may have
	return []broken{
		{"it forgets to sign", "a client follows the index with either key", "not exist", tiny{
			emit: func(f format.File) format.File { f.Sealing = format.Sealing{}; return f },
		}},
		{"it signs with the key of the sidecars", "a client follows the index with either key", `of purpose "file"`, tiny{
			emit: func(f format.File) format.File {
				f.Seals = slices.Clone(f.Seals)
				for i := range f.Seals {
					f.Seals[i].Purpose = scheme.File
				}
				return f
			},
		}},
		{"it signs the index as a package", "a client follows the index with either key", `of purpose "package"`, tiny{
			emit: func(f format.File) format.File {
				f.Seals = slices.Clone(f.Seals)
				for i := range f.Seals {
					f.Seals[i].Purpose = scheme.Package
				}
				return f
			},
		}},
		{"its index is another each time", "an index is the same each time", "not the same each time", tiny{
			emit: func(f format.File) format.File {
				if f.Data != nil {
					counter++
					f.Data = fmt.Appendf(bytes.Clone(f.Data), "%d\n", counter)
				}
				return f
			},
		}},
		{"its index counts uploads", "adding one by one equals rebuilding", "rebuilt differ", tiny{
			parse: func(_ format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				counter++
				return p, err
			},
			emit: func(f format.File) format.File {
				if f.Data != nil {
					f.Data = fmt.Appendf(bytes.Clone(f.Data), "%d\n", counter)
				}
				return f
			},
		}},
		{"its index remembers what was removed", "adding and removing leaves what was there", "the index is another", tiny{
			parse: func(_ format.Op, _ format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if err == nil {
					p.Entries = append(p.Entries, format.Entry{Group: "name " + p.Name})
				}
				return p, err
			},
			index: func(s format.Site, in format.Shard, emit func(format.File) error) error {
				return indexTiny(s, in, func(f format.File) error {
					if f.Data != nil {
						f.Data = fmt.Appendf(bytes.Clone(f.Data), "%d groups\n", len(in.Groups()))
					}
					return emit(f)
				})
			},
		}},
		{"it lists twice", "an index is the same each time", "calls List twice", tiny{
			index: func(s format.Site, in format.Shard, emit func(format.File) error) error {
				if _, err := in.List(); err != nil {
					return err
				}
				return indexTiny(s, in, emit)
			},
		}},
		{"it emits one path twice", "an index is the same each time", "have the path", tiny{
			index: func(s format.Site, in format.Shard, emit func(format.File) error) error {
				if err := emit(format.File{Path: in.Name() + "/MANIFEST", Data: []byte("x")}); err != nil {
					return err
				}
				return indexTiny(s, in, emit)
			},
		}},
		{"its shards have one path", "an index is the same each time", "have the same path", tiny{
			index: func(s format.Site, in format.Shard, emit func(format.File) error) error {
				if err := emit(format.File{Path: "README", Data: []byte("x")}); err != nil {
					return err
				}
				return indexTiny(s, in, emit)
			},
		}},
		{"it emits a listing that it did not list", "an index is the same each time", "was not listed", tiny{
			emit: func(f format.File) format.File {
				if f.Listing != "" {
					f.Encoding = format.Plain
				}
				return f
			},
		}},
	}
}
