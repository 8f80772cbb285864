package formattest

import (
	"bytes"
	"slices"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// seal makes the signatures of a file. It returns the file with those that go into it, all signatures, and those that stand
// beside it. There is at least an empty slice of signatures.
func (h *House) seal(what string, s format.Sealing, data []byte, purposes ...scheme.Purpose) (
	final []byte, sigs []format.Signature, beside map[string][]byte) {
	h.tb.Helper()
	sigs, beside = []format.Signature{}, map[string][]byte{}
	names := map[string]bool{}
	spliced := false
	for _, seal := range s.Seals {
		if names[seal.Name] {
			h.guard.breach("two seals of %s have the name %q", what, seal.Name)
		}
		names[seal.Name] = true
		h.checkPurpose(what, seal, purposes)
		if h.silent && seal.Text != nil && seal.Path == "" && s.Splice == nil {
			continue
		}
		ring := h.ring
		if seal.Single {
			ring = ring.oldest()
		}
		made, err := ring.sign(seal.Purpose, seal.Scheme, h.message(what, seal, data), h.Date)
		if err != nil {
			h.guard.breach("the seal %q of %s cannot be made: %v", seal.Name, what, err)
		}
		for i := range made {
			made[i].Seal = seal.Name
		}
		sigs = append(sigs, made...)
		switch {
		case seal.Path == "" && s.Splice == nil && seal.Text != nil: // Parse puts it into entries
		case seal.Path == "" && s.Splice == nil:
			h.guard.breach("the seal %q of %s has no path and no Splice", seal.Name, what)
		case seal.Path == "":
			spliced = true
		case pathFault(seal.Path) != "" || beside[seal.Path] != nil:
			h.guard.breach("the seal %q of %s has the path %q, which is not clean or taken", seal.Name, what, seal.Path)
		case len(made) > 1:
			h.guard.breach("the seal %q of %s has one path for %d signatures", seal.Name, what, len(made))
		default:
			beside[seal.Path] = made[0].Value
		}
	}
	if !spliced {
		if s.Splice != nil {
			h.guard.breach("%s has a Splice and no signature for it", what)
		}
		if len(s.Marks) > 0 {
			h.guard.breach("the sealing of %s has marks and splices nothing", what)
		}
		return data, sigs, beside
	}
	var patches []format.Patch
	var err error
	h.guard.calling("Splice of "+what, func() { patches, err = s.Splice(slices.Clone(sigs)) })
	if err != nil {
		h.guard.breach("Splice of %s: %v", what, err)
	}
	return h.patch(what, data, patches), sigs, beside
}

// packagePurposes are those of the keys that sign packages.
var packagePurposes = []scheme.Purpose{scheme.Package, scheme.NPM}

// checkPurpose ends the test if a format asks for a signature that it must not have.
func (h *House) checkPurpose(what string, seal format.Seal, purposes []scheme.Purpose) {
	h.tb.Helper()
	if !slices.Contains(purposes, seal.Purpose) {
		h.guard.breach("the seal %q of %s asks for a signature of purpose %q, not one of %q", seal.Name, what, seal.Purpose, purposes)
	}
	if !slices.ContainsFunc(h.guard.spec.Keys, func(u format.KeyUse) bool {
		return u.Purpose == seal.Purpose && u.Family == seal.Scheme.Family()
	}) {
		h.guard.breach("the seal %q of %s is of purpose %q and scheme %q, and Spec.Keys names no such key",
			seal.Name, what, seal.Purpose, seal.Scheme)
	}
}

// message returns what a seal signs.
func (h *House) message(what string, seal format.Seal, data []byte) []byte {
	h.tb.Helper()
	if seal.Text != nil {
		if seal.Message != nil {
			h.guard.breach("the seal %q of %s signs sections of the file and a text", seal.Name, what)
		}
		return seal.Text
	}
	if seal.Message == nil {
		return data
	}
	var message []byte
	for _, s := range seal.Message {
		if s.Offset < 0 || s.Size < 0 || s.Size > int64(len(data)) || s.Offset > int64(len(data))-s.Size {
			h.guard.breach("the seal %q of %s signs %d bytes at %d of %d", seal.Name, what, s.Size, s.Offset, len(data))
		}
		message = append(message, data[s.Offset:s.Offset+s.Size]...)
	}
	return message
}

// patch returns data with its patches applied.
func (h *House) patch(what string, data []byte, patches []format.Patch) []byte {
	h.tb.Helper()
	var b bytes.Buffer
	at := int64(0)
	for _, p := range patches {
		if p.Offset < at || p.Size < 0 || p.Offset > int64(len(data)) || p.Size > int64(len(data))-p.Offset {
			h.guard.breach("a patch of %s replaces %d bytes at %d of %d, and the one before ends at %d",
				what, p.Size, p.Offset, len(data), at)
		}
		b.Write(data[at:p.Offset])
		b.Write(p.Data)
		at = p.Offset + p.Size
	}
	b.Write(data[at:])
	return b.Bytes()
}
