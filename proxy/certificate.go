package proxy

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is a TLS certificate that is read again when its files change, at most once a second. A pair that cannot
// be read or does not fit together is logged, and the one before stays. It is safe for concurrent use.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	stamps [2]time.Time
	looked time.Time
}

// LoadCertificate reads the files for the first time.
func LoadCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log}
	if err := c.reload(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Certificate) reload() error {
	var stamps [2]time.Time
	for i, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		stamps[i] = info.ModTime()
	}
	if c.pair != nil && stamps == c.stamps {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("tls: certificate %s with key %s: %w", c.cert, c.key, err)
	}
	c.pair, c.stamps = &pair, stamps
	return nil
}

// Get is for tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) > time.Second {
		c.looked = now
		if err := c.reload(); err != nil {
			c.log.Error("the certificate was not reloaded", "error", err)
		}
	}
	return c.pair, nil
}
