package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/spf13/cobra"

	"hallmark/proxy/config"
	"hallmark/proxy/oci/manifest"
)

// credentials are those that a command's flags give for a registry.
type credentials struct {
	username      string
	passwordStdin bool
}

func (c *credentials) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&c.username, "username", "u", "", "user at the registry (default: what docker login has stored)")
	cmd.Flags().BoolVar(&c.passwordStdin, "password-stdin", false, "read the password from standard input")
}

// authenticator returns the credentials for the first of the registries that has any.
func (c *credentials) authenticator(stdin io.Reader, registries ...string) (authn.Authenticator, error) {
	if c.username != "" {
		if !c.passwordStdin {
			return nil, errors.New("--username needs the password on standard input: add --password-stdin")
		}
		data, err := io.ReadAll(io.LimitReader(stdin, 4<<10))
		if err != nil {
			return nil, err
		}
		return &authn.Basic{Username: c.username, Password: strings.TrimRight(string(data), "\r\n")}, nil
	}
	for _, host := range registries {
		r, err := name.NewRegistry(host)
		if err != nil {
			continue
		}
		if a, err := authn.DefaultKeychain.Resolve(r); err == nil && a != authn.Anonymous {
			return a, nil
		}
	}
	return authn.Anonymous, nil
}

// client is a command's way to one repository of images: through the running server, or through one that this process
// starts for itself if none runs.
type client struct {
	config    *config.Config
	repo      string
	host      string
	auth      authn.Authenticator
	admin     string // the token of whoever may administrate the server
	transport http.RoundTripper
	close     func()
}

// connect opens a client of the repository that the first of args names, or of the only one.
func connect(cmd *cobra.Command, w *world, args []string, creds *credentials) (*client, error) {
	c, err := w.load()
	if err != nil {
		return nil, err
	}
	repo, err := oneRepository(c, args)
	if err != nil {
		return nil, err
	}
	cl := &client{config: c, repo: repo, transport: http.DefaultTransport, close: func() {}}
	address, err := cl.reach(cmd)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	cl.host = u.Host
	if up := c.Repositories[repo].Upstream; up != nil {
		hosts := []string{hostOf(c.BaseURL()), cl.host, hostOf(up.URL)}
		if cl.auth, err = creds.authenticator(cmd.InOrStdin(), hosts...); err != nil {
			cl.close()
			return nil, err
		}
	} else {
		cl.auth = authn.Anonymous
		if c.Auth != nil {
			cl.auth = &authn.Basic{Username: "_admin", Password: cl.admin}
		}
	}
	return cl, nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

func checkRepository(c *config.Config, repo string) error {
	if _, ok := c.Repositories[repo]; !ok {
		return fmt.Errorf("there is no repository %q; the configuration has %s", repo, strings.Join(sortedNames(c.Repositories), ", "))
	}
	return nil
}

// reach returns the address of a server for the data folder.
func (cl *client) reach(cmd *cobra.Command) (address string, err error) {
	data, err := openData(cl.config.Data)
	if errors.Is(err, errInUse) {
		return cl.reachRunning(err)
	}
	if err != nil {
		return "", err
	}
	address, err = cl.serveSelf(cmd, data)
	if err != nil {
		data.close()
	}
	return address, err
}

// reachRunning returns the address of the server that another process runs; inUse is the error if there is none.
func (cl *client) reachRunning(inUse error) (string, error) {
	r, err := readRunning(cl.config.Data)
	if err != nil {
		return "", inUse
	}
	token, err := os.ReadFile(filepath.Join(cl.config.Data, adminTokenFile))
	if err != nil {
		return "", err
	}
	cl.admin = strings.TrimSpace(string(token))
	if cl.config.TLS != nil {
		cl.transport, err = pinned(cl.config.TLS.Cert)
	}
	return r.URL, err
}

// serveSelf starts a server of this process's own on a port of loopback, for this command alone.
func (cl *client) serveSelf(cmd *cobra.Command, data *dataFolder) (string, error) {
	private := *cl.config
	private.Auth, private.TLS = nil, nil
	private.PublicURL = cl.config.BaseURL() // what signatures say stays the same
	private.Listen = "127.0.0.1:0"
	private.Log.Level = "error"
	h, err := openHouse(cmd.Context(), &private, data, newLog(cmd.ErrOrStderr(), private.Log))
	if err != nil {
		return "", err
	}
	h.alone = true
	listener, err := net.Listen("tcp", private.Listen)
	if err != nil {
		h.close()
		return "", err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	done := make(chan struct{})
	go func() { h.run(ctx, listener); close(done) }()
	cl.admin = h.adminToken
	cl.close = func() { cancel(); <-done; h.close(); data.close() }
	return "http://" + listener.Addr().String(), nil
}

// pinned returns a transport that trusts exactly the certificate of our own server, whatever names it has.
func pinned(certFile string) (http.RoundTripper, error) {
	data, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("tls: %s holds no PEM certificate", certFile)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // the name cannot match an address of loopback; the certificate itself must
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) == 0 || !bytes.Equal(raw[0], block.Bytes) {
				return fmt.Errorf("the server does not show the certificate of %s", certFile)
			}
			return nil
		},
	}
	return t, nil
}

func (cl *client) options(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithAuth(cl.auth), remote.WithTransport(cl.transport), remote.WithUserAgent("hallmark/" + version)}
}

func (cl *client) image(image string) (name.Repository, error) {
	return name.NewRepository(cl.host + "/" + image)
}

// images returns the names of the repository's images.
func (cl *client) images(ctx context.Context) ([]string, error) {
	registry, err := name.NewRegistry(cl.host)
	if err != nil {
		return nil, err
	}
	all, err := remote.Catalog(ctx, registry, cl.options(ctx)...)
	if err != nil {
		return nil, fmt.Errorf("the registry does not list its images (name one, then): %w", err)
	}
	var mine []string
	for _, n := range all {
		if owner, ok := cl.config.RepositoryFor(n); ok && owner == cl.repo {
			mine = append(mine, n)
		}
	}
	return mine, nil
}

// tags returns the tags of an image, without those of signatures and the like.
func (cl *client) tags(ctx context.Context, image string) ([]string, error) {
	repo, err := cl.image(image)
	if err != nil {
		return nil, err
	}
	all, err := remote.List(repo, cl.options(ctx)...)
	if missing := (*transport.Error)(nil); errors.As(err, &missing) && missing.StatusCode == http.StatusNotFound {
		return nil, nil // an image whose last tag was deleted
	}
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, t := range all {
		if _, _, attached := manifest.TagSubject(t); !attached {
			tags = append(tags, t)
		}
	}
	return tags, nil
}

// post calls the API with the rights to push an image.
func (cl *client) post(ctx context.Context, image, path string, query url.Values) (*http.Response, error) {
	repo, err := cl.image(image)
	if err != nil {
		return nil, err
	}
	t, err := transport.NewWithContext(ctx, repo.Registry, cl.auth, cl.transport, []string{repo.Scope(transport.PushScope)})
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: repo.Registry.Scheme(), Host: cl.host, Path: path, RawQuery: query.Encode()}
	if cl.config.TLS != nil && cl.transport != http.DefaultTransport {
		u.Scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return nil, err
	}
	return resp, transport.CheckError(resp, http.StatusOK)
}
