package integration

import (
	"strings"
	"testing"

	"hallmark/integration/world"
)

// What a stock registry does not do: a proxy in front of it need not do better there, save for referrers.
var stockFails = []string{
	"/sha512",                    // no digests but SHA-256
	"/non-distributable-layers/", // HTTP 500 by default
	"/referrers", "-subject/",    // no referrers API, no OCI-Subject header
}

func TestStockConformance(t *testing.T) {
	reg := world.StartRegistry(t, world.RegistryOptions{})
	upstream := world.Record(t, reg.URL)
	direct := world.Conformance(t, reg.Addr, world.ConformanceOptions{})
	t.Logf("%d tests, %d failures", direct.Tests, direct.Failures)
	for _, name := range direct.Failing() {
		if !containsAny(name, stockFails) {
			t.Errorf("a stock registry fails %s", name)
		}
	}
	through := world.Conformance(t, upstream.Addr, world.ConformanceOptions{})
	if worse := through.Worse(direct); len(worse) > 0 {
		t.Errorf("a proxy that changes nothing fails more:\n%s", strings.Join(worse, "\n"))
	}
}

// What the embedded registry does not do: sha512 digests, since no tag for a signature of them would be
// short enough, and layers that lie elsewhere. Referrers it does.
var embeddedFails = []string{"/sha512", "/non-distributable-layers/"}

// With bundles, the blob {} cannot be deleted, which is the config of each, and the empty index comes back
// as the emptied list of its own referrers, which has the same bytes.
var bundleFails = []string{"/emptyJSON/blob-delete", "/delete/blob-delete", "/empty-index/delete/manifest-delete"}

func TestConformanceOfTheEmbeddedRegistry(t *testing.T) {
	for _, place := range []string{embedded, embeddedHtpasswd} {
		for name, repository := range map[string]string{
			"cosign": "", "cosign and bundle": "    signatures: [cosign, bundle]\n",
		} {
			t.Run(place+"/"+name, func(t *testing.T) {
				t.Parallel()
				h := build(t, place, settings{repository: repository})
				report := world.Conformance(t, h.proxy.Addr, world.ConformanceOptions{User: h.user})
				t.Logf("%d tests, %d failures", report.Tests, report.Failures)
				known := embeddedFails
				if repository != "" {
					known = append(known[:len(known):len(known)], bundleFails...)
				}
				for _, name := range report.Failing() {
					if !containsAny(name, known) {
						t.Errorf("fails %s", name)
					}
				}
			})
		}
	}
}

func TestConformanceInFrontOfAStockRegistry(t *testing.T) {
	for _, place := range []string{stock, stockBasic, stockToken} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			h := build(t, place, settings{})
			direct := world.Conformance(t, h.registry.Addr, world.ConformanceOptions{User: h.user})
			// A registry of its own, so that nothing is there from the first run.
			h = build(t, place, settings{})
			through := world.Conformance(t, h.proxy.Addr, world.ConformanceOptions{User: h.user})
			t.Logf("direct %d failures of %d, through the proxy %d of %d", direct.Failures, direct.Tests, through.Failures, through.Tests)
			if worse := through.Worse(direct); len(worse) > 0 {
				t.Errorf("through the proxy fail, and directly do not:\n%s", strings.Join(worse, "\n"))
			}
			if through.Failures >= direct.Failures {
				t.Error("referrers do not work where the registry has none")
			}
		})
	}
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
