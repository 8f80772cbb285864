package formattest

import (
	"bytes"
	"fmt"
	"io/fs"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Fetch answers a GET. The error wraps fs.ErrNotExist if there is nothing to fetch.
func (h *House) Fetch(path string) ([]byte, error) {
	h.tb.Helper()
	return h.fetch(path, nil)
}

// replacing fetches from the house, save for some paths, be they asked for or those of the tree; what is nil there is not
// there.
func (h *House) replacing(files map[string][]byte) func(string) ([]byte, error) {
	return func(p string) ([]byte, error) {
		h.tb.Helper()
		return h.fetch(p, files)
	}
}

// fetch answers a GET, and takes some files from elsewhere.
func (h *House) fetch(p string, instead map[string][]byte) ([]byte, error) {
	h.tb.Helper()
	if data := instead[p]; data != nil {
		return data, nil
	}
	op, err := h.guard.Route(request("GET", p))
	if err != nil {
		return nil, err
	}
	switch op.Kind {
	case format.Get:
		for _, at := range op.Paths {
			data, replaced := instead[at]
			there := data != nil
			if !replaced {
				data, there = h.file(at)
			}
			if there {
				if op.Addressed {
					data = bytes.ReplaceAll(data, []byte(format.Here), []byte(h.rendererSite().URL))
				}
				return data, nil
			}
		}
	case format.Render:
		r, ok := h.guard.format.(format.Renderer)
		if !ok {
			h.guard.breach("Route asks for a document, and the format is no Renderer")
		}
		var d format.Document
		h.guard.calling("Render", func() { d, err = r.Render(h.rendererSite(), op) })
		return d.Data, err
	}
	return nil, fmt.Errorf("get %s: %w", p, fs.ErrNotExist)
}

// place returns where in the tree the file is that a GET of p is answered with, or "".
func (h *House) place(p string) string {
	h.tb.Helper()
	op, err := h.guard.Route(request("GET", p))
	if err != nil || op.Kind != format.Get {
		return ""
	}
	for _, at := range op.Paths {
		if _, there := h.file(at); there {
			return at
		}
	}
	return ""
}

// file returns what is served at a place of the tree.
func (h *House) file(p string) ([]byte, bool) {
	for _, s := range h.packages {
		if s.pkg.Path == p {
			return s.data, true
		}
		if data, ok := s.sidecars[p]; ok {
			return data, true
		}
	}
	for _, f := range h.emitted {
		if data, ok := f.files()[p]; ok {
			return data, true
		}
	}
	data, ok := h.lasting[p]
	return data, ok
}

// stripped returns the index files as they are without any signature.
func (h *House) stripped() map[string][]byte {
	files := map[string][]byte{}
	for _, e := range h.emitted {
		for _, seal := range e.seals {
			switch {
			case seal.Path == "":
			case seal.Scheme == scheme.OpenPGPClearsigned:
				files[seal.Path] = e.plain
			default:
				files[seal.Path] = nil
			}
		}
		files[e.path] = e.plain
	}
	return files
}
