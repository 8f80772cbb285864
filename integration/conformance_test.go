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

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
