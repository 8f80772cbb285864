package formattest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hallmark/formats/format"
	"hallmark/signing"
	"hallmark/signing/keys"
	"hallmark/signing/scheme"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The key sets. Those of one house are told from each other, and from those of another.
const (
	older   = iota // of the house
	newer          // of the house, signing beside the older
	foreign        // of another house
	keySets
)

// usesMax bounds the uses of keys in one set: those of a Spec, and the sidecars'.
const usesMax = 6

// A private is a private key of a house.
type private struct {
	format.Key
	set     int
	signing *signing.Key
	openpgp *openpgp.Entity // to verify with
	rsa     *rsa.PublicKey  // to verify with
	ecdsa   *ecdsa.PublicKey
}

// A keyring is the private keys of a house.
type keyring struct {
	keys []private
	ring *signing.Ring
}

// The keys are made once for all tests of a process, and each when it is first used.
var (
	edwardsKeys = lazily(func() *openpgp.Entity {
		return must(openpgp.NewEntity("Conformance", "", "", &packet.Config{
			Time: func() time.Time { return born }, Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519,
		}))
	})
	ecdsaKeys = lazily(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	rsaKeys   = lazily(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

	// rsaCertificates are of the keys of the same numbers.
	rsaCertificates = certificates()

	openPGPRSAKeys = lazily(func() *openpgp.Entity {
		config := &packet.Config{Time: func() time.Time { return born }}
		key := packet.NewRSAPrivateKey(born, must(rsa.GenerateKey(rand.Reader, 2048)))
		e := &openpgp.Entity{PrimaryKey: &key.PublicKey, PrivateKey: key, Identities: map[string]*openpgp.Identity{}}
		if err := e.AddUserId("Conformance", "", "", config); err != nil {
			panic(err)
		}
		return e
	})
)

// born is when the keys were made, as they say.
var born = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func lazily[T any](create func() T) (keys [keySets * usesMax]func() T) {
	for i := range keys {
		keys[i] = sync.OnceValue(create)
	}
	return keys
}

func certificates() (all [keySets * usesMax]func() []byte) {
	for i := range all {
		all[i] = sync.OnceValue(func() []byte { return must(signing.NewCertificate(rsaKeys[i](), repository, born)) })
	}
	return all
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// newKeyring returns keys of some sets for what a format uses and for sidecars. They are of different kinds where the
// format's clients take different kinds.
func newKeyring(uses []format.KeyUse, sets ...int) (keyring, error) {
	uses = append(slices.Clone(uses),
		format.KeyUse{Purpose: scheme.File, Family: scheme.OpenPGP}, format.KeyUse{Purpose: scheme.File, Family: scheme.ECDSA})
	if len(uses) > usesMax {
		return keyring{}, fmt.Errorf("the format has %d uses of keys, and this test keys for %d", len(uses)-2, usesMax-2)
	}
	var k keyring
	var all []*signing.Key
	sharing := false
	for i, u := range uses {
		if u.Shared {
			sharing = true // it has the keys of the index
			continue
		}
		for _, set := range sets {
			key, err := newPrivate(u, set, set*usesMax+i)
			if err != nil {
				return keyring{}, err
			}
			k.keys, all = append(k.keys, key), append(all, key.signing)
		}
	}
	var err error
	if k.ring, err = signing.NewRing(repository, all); err != nil {
		return keyring{}, err
	}
	if sharing {
		k.ring = k.ring.SharingIndex()
	}
	return k, nil
}

func newPrivate(u format.KeyUse, set, number int) (private, error) {
	takes := func(kind string) bool { return len(u.Kinds) == 0 || slices.Contains(u.Kinds, kind) }
	p := private{set: set}
	name := fmt.Sprintf("%s %d", u.Purpose, number)
	var err error
	switch {
	case u.Family == scheme.RSA && takes("rsa2048"):
		key := rsaKeys[number]()
		p.rsa = &key.PublicKey
		if u.Certificate {
			p.signing, err = signing.NewCertifiedKey(name, u.Purpose, key, rsaCertificates[number](), born)
		} else {
			p.signing, err = signing.NewKey(name, u.Purpose, key)
		}
	case u.Family == scheme.ECDSA && takes("p256"):
		key := ecdsaKeys[number]()
		p.ecdsa = &key.PublicKey
		p.signing, err = signing.NewKey(name, u.Purpose, key)
	case u.Family == scheme.OpenPGP && takes("ed25519") && (set != newer || !takes("rsa2048")):
		p.openpgp = edwardsKeys[number]()
		p.signing, err = newOpenPGP(name, u.Purpose, p.openpgp)
	case u.Family == scheme.OpenPGP && takes("rsa2048"):
		p.openpgp = openPGPRSAKeys[number]()
		p.signing, err = newOpenPGP(name, u.Purpose, p.openpgp)
	default:
		err = fmt.Errorf("this test has no key of family %s that is one of %q", u.Family, u.Kinds)
	}
	if err != nil {
		return private{}, err
	}
	public := p.signing.Public()
	p.Key = format.Key{
		Purpose: u.Purpose, Family: u.Family, Kind: public.Kind(), Fingerprint: public.Fingerprint(),
		File: "conformance-" + strings.ToLower(strings.TrimPrefix(public.Fingerprint(), "sha256:")[:8]) + ".pub",
	}
	if u.Family == scheme.OpenPGP {
		p.Armored, p.Binary = public.Armored(), public.Binary()
	} else {
		p.PEM, p.Certificate = public.PEM(), public.Certificate()
	}
	return p, nil
}

func newOpenPGP(name string, p scheme.Purpose, e *openpgp.Entity) (*signing.Key, error) {
	var private bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&private, nil); err != nil {
		return nil, err
	}
	secret, err := keys.ParseOpenPGP(private.Bytes(), nil, born)
	if err != nil {
		return nil, err
	}
	return signing.NewOpenPGPKey(name, p, secret, born)
}

// public returns the public keys that a format is shown, among them those of sidecars.
func (k keyring) public() format.Keys {
	var keys format.Keys
	for _, key := range k.keys {
		keys = append(keys, key.Key)
	}
	return keys
}

// oldest returns the first key of each purpose and family alone.
func (k keyring) oldest() keyring {
	k.ring = k.ring.Oldest()
	return k
}

// file returns the name of the file in which clients keep a key.
func (k keyring) file(public signing.PublicKey) string {
	i := slices.IndexFunc(k.keys, func(key private) bool { return key.Fingerprint == public.Fingerprint() })
	return k.keys[i].File
}

// sign returns the signatures of all keys of a purpose in a scheme, in the form that format.Signature has.
func (k keyring) sign(p scheme.Purpose, s scheme.Scheme, message []byte, at time.Time) ([]format.Signature, error) {
	signed, err := k.ring.Sign(p, s, signing.Bytes(message), at)
	if err != nil {
		return nil, err
	}
	if signed.Document != nil {
		return []format.Signature{{Key: k.file(signed.Signatures[0].Key), Value: signed.Document}}, nil
	}
	var all []format.Signature
	for _, sig := range signed.Signatures {
		all = append(all, format.Signature{Key: k.file(sig.Key), Fingerprint: sig.Key.Fingerprint(), Value: sig.Value})
	}
	return all, nil
}
