package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hallmark/proxy"
	"hallmark/proxy/config"
	"hallmark/signing/scheme"
)

const (
	drainTimeout  = 30 * time.Second // for requests that are on their way when we are told to stop
	headerTimeout = 20 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10 // bytes
)

func serveCommand(w *world) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve (what proxy does without a command, too)",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return serve(cmd, w) },
	}
}

// serve runs the server until the command's context ends; then it finishes what is on its way.
// gcPercent lets the heap, which is some ten MiB, grow to four times of what is in use before it is collected.
const gcPercent = 300

func serve(cmd *cobra.Command, w *world) error {
	c, err := w.load()
	if err != nil {
		return err
	}
	log := newLog(cmd.ErrOrStderr(), c.Log)
	if w.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	data, err := openData(c.Data)
	if err != nil {
		return err
	}
	defer data.close()
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	if strings.HasSuffix(c.Listen, ":0") {
		c.Listen = listener.Addr().String()
	}
	if c.TLS != nil {
		cert, err := proxy.LoadCertificate(c.TLS.Cert, c.TLS.Key, log)
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{
			MinVersion: tls.VersionTLS12, GetCertificate: cert.Get, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	h, err := openHouse(cmd.Context(), c, data, log)
	if err != nil {
		return err
	}
	defer h.close()
	if err := data.announce(localURL(c, listener.Addr())); err != nil {
		log.Warn("commands on this machine will not find the server", "error", err) // on a full disk, reading still works
	}
	fmt.Fprint(cmd.OutOrStdout(), h.banner())
	go h.collectNowAndThen(cmd.Context())
	return h.run(cmd.Context(), listener)
}

// run serves until ctx ends, then drains.
func (h *house) run(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: h.server, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	h.server.Drain()
	h.log.Info("shutting down: finishing the requests that are on their way", "timeout", drainTimeout)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		h.log.Warn("some requests did not finish and were cut off")
		server.Close()
	} else if err != nil {
		return err
	}
	return nil
}

// localURL is how a command on this machine reaches a server that listens on addr.
func localURL(c *config.Config, addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	if c.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

func newLog(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // the configuration was checked
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// banner is what a newcomer needs: where we are, which keys sign, and what to type next.
func (h *house) banner() string {
	var b strings.Builder
	base := h.config.BaseURL()
	fmt.Fprintf(&b, "Hallmark signs what is pushed to %s; its data are in %s\n\n", base, h.config.Data)
	for _, r := range h.repositories {
		if r.Packages != nil {
			fmt.Fprintf(&b, "  %s: %s at %s/%s/\n", r.Name, r.Packages.Format.Spec().Title, base, r.Name)
			continue
		}
		behind := "the embedded registry"
		if up := h.config.Repositories[r.Name].Upstream; up != nil {
			behind = up.URL
		}
		fmt.Fprintf(&b, "  %s: %s in front of %s\n", r.Name, strings.Join(h.config.Repositories[r.Name].Images, ", "), behind)
		for _, k := range r.Ring.Keys(scheme.Image) {
			fmt.Fprintf(&b, "    %s key %s\n", k.Public().Kind(), k.Public().Fingerprint())
		}
	}
	if len(h.generated) == 1 {
		fmt.Fprintf(&b, "\nA new key is in %s. Keep a copy: who loses it can sign no more under it.\n", h.generated[0])
	} else if len(h.generated) > 1 {
		fmt.Fprintf(&b, "\n%d new keys are in %s. Keep a copy: who loses them can sign no more under them.\n",
			len(h.generated), filepath.Join(h.config.Data, "keys"))
	}
	for _, r := range h.repositories {
		if r.Packages != nil {
			fmt.Fprintf(&b, "\nHow to point a client at a package repository, and what to trust:\n  curl %s/-/setup/%s\n", base, r.Name)
			break
		}
	}
	image, repo := h.example()
	if image == "" {
		return b.String()
	}
	host := strings.TrimPrefix(strings.TrimPrefix(base, "http://"), "https://")
	fmt.Fprintf(&b, `
Push an image and verify it:
  docker tag IMAGE %[1]s/%[2]s
  docker push %[1]s/%[2]s
  cosign verify --private-infrastructure=true --key %[3]s/-/keys/%[4]s/cosign.pub %[1]s/%[2]s

`, host, image, base, repo)
	return b.String()
}

// example returns the name of an image that the first repository of images takes. Empty: there is none.
func (h *house) example() (image, repository string) {
	for _, r := range h.repositories {
		if r.Images != nil {
			pattern := h.config.Repositories[r.Name].Images[0]
			return strings.ReplaceAll(pattern, "*", "team/app") + ":1", r.Name
		}
	}
	return "", ""
}
