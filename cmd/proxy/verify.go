package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/spf13/cobra"

	"hallmark/proxy/oci/manifest"
	"hallmark/signing"
)

func verifyCommand(w *world) *cobra.Command {
	var key string
	var asJSON bool
	var creds credentials
	cmd := &cobra.Command{
		Use:   "verify REF",
		Short: "Say whether an image is signed by its repository's key",
		Long: `Verify looks up an image in its registry and checks that a signature in cosign's
layout names its digest and its name and was made by the key.

Without --key it is the key of the repository of this configuration that the image
belongs to; only its public half is read. With --key it is the public key in that
file or at that URL.`,
		Example: `  proxy verify 127.0.0.1:8080/team/app:1
  proxy verify --key cosign.pub registry.example.com/team/app@sha256:…`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := name.ParseReference(args[0])
			if err != nil {
				return fmt.Errorf("%q is not the reference of an image, such as 127.0.0.1:8080/team/app:1", args[0])
			}
			trusted, err := trustedKeys(cmd.Context(), w, key, ref)
			if err != nil {
				return err
			}
			auth, err := creds.authenticator(cmd.InOrStdin(), ref.Context().RegistryStr())
			if err != nil {
				return err
			}
			found, err := verifyImage(ref, trusted, remote.WithContext(cmd.Context()), remote.WithAuth(auth))
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(found)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is signed: %s by the %s key %s\n", args[0], found.Digest, found.Kind, found.Key)
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "public key in PEM: a file, or an http(s) URL")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	creds.flags(cmd)
	return cmd
}

// trustedKeys returns the keys that may have signed ref.
func trustedKeys(ctx context.Context, w *world, key string, ref name.Reference) ([]signing.PublicKey, error) {
	if key != "" {
		pem, err := readKey(ctx, key)
		if err != nil {
			return nil, err
		}
		k, err := signing.ParsePublicKey(pem)
		if err != nil {
			return nil, fmt.Errorf("--key %s: %w", key, err)
		}
		return []signing.PublicKey{k}, nil
	}
	c, err := w.load()
	if err != nil {
		return nil, err
	}
	image := ref.Context().RepositoryStr()
	repo, ok := c.RepositoryFor(image)
	if !ok {
		return nil, fmt.Errorf("no repository of the configuration serves %s; say by --key whose signature it should have", image)
	}
	store, err := keyStore(c)
	if err != nil {
		return nil, err
	}
	public, err := store.Public(repo, keySpecs(c, repo))
	if err != nil {
		return nil, fmt.Errorf("%w; is %s the server's data folder? otherwise say by --key whose signature it should have", err, c.Data)
	}
	var keys []signing.PublicKey
	for _, p := range public {
		keys = append(keys, p.Key)
	}
	return keys, nil
}

const (
	maxKeyFile = 64 << 10 // bytes
	keyTimeout = 30 * time.Second
)

func readKey(ctx context.Context, from string) ([]byte, error) {
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		return os.ReadFile(from)
	}
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("--key %s: the answer is %s", from, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxKeyFile))
}

// verified is a signature that was found to be good.
type verified struct {
	Image  string `json:"image"`
	Digest string `json:"digest"`
	Kind   string `json:"kind"`
	Key    string `json:"key"`
}

// errUnsigned: an image bears no signature by the keys it should have one of.
var errUnsigned = errors.New("not signed")

// verifyImage looks for a signature of ref by one of the keys. If there is none, the error wraps errUnsigned.
func verifyImage(ref name.Reference, keys []signing.PublicKey, options ...remote.Option) (*verified, error) {
	desc, err := remote.Head(ref, options...)
	if err != nil {
		return nil, err
	}
	tag, err := manifest.SignatureTag(desc.Digest.String())
	if err != nil {
		return nil, err
	}
	unsigned := func(why string) error {
		return fmt.Errorf("%s (%s) is %w by %s: %s", ref, desc.Digest, errUnsigned, fingerprints(keys), why)
	}
	sigs, err := remote.Image(ref.Context().Tag(tag), options...)
	var missing *transport.Error
	if errors.As(err, &missing) && missing.StatusCode == http.StatusNotFound {
		return nil, unsigned("there is nothing under the tag " + tag)
	}
	if err != nil {
		return nil, err
	}
	m, err := sigs.Manifest()
	if err != nil {
		return nil, err
	}
	img := signing.Image{Reference: ref.Context().Name(), Name: ref.Context().RepositoryStr(), Digest: desc.Digest.String()}
	for _, l := range m.Layers {
		k, err := verifyLayer(sigs, l, keys, img)
		if err != nil {
			return nil, err
		}
		if k != nil {
			return &verified{ref.String(), img.Digest, k.Kind(), k.Fingerprint()}, nil
		}
	}
	return nil, unsigned(fmt.Sprintf("of the %d signatures under the tag %s none verifies", len(m.Layers), tag))
}

const maxPayload = 64 << 10 // bytes

// verifyLayer returns the key that made the signature in a layer, nil if none of keys did.
func verifyLayer(sigs v1.Image, l v1.Descriptor, keys []signing.PublicKey, img signing.Image) (*signing.PublicKey, error) {
	sig, err := base64.StdEncoding.DecodeString(l.Annotations["dev.cosignproject.cosign/signature"])
	if err != nil || len(sig) == 0 || l.Size > maxPayload {
		return nil, nil
	}
	layer, err := sigs.LayerByDigest(l.Digest)
	if err != nil {
		return nil, err
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	payload, err := io.ReadAll(io.LimitReader(content, maxPayload))
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if signing.VerifyImage(k, payload, sig, img) == nil {
			return &k, nil
		}
	}
	return nil, nil
}

func fingerprints(keys []signing.PublicKey) string {
	var list []string
	for _, k := range keys {
		list = append(list, "the "+k.Kind()+" key "+k.Fingerprint())
	}
	return strings.Join(list, " or ")
}
