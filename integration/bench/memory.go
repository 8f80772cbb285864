package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"hallmark/integration/world"
)

// memory lets one large layer pass a proxy that has just started, in and out again, and asks the kernel for the most
// memory that the process ever had.
func (b *bench) memory(t world.T) {
	t.Logf("memory: a layer of %s", bytesText(b.size.layer))
	layer := newBlob(b.size.layer)

	emb := world.StartProxy(t, world.ProxyOptions{Scenario: "memory-" + embedded})
	b.memoryOf(t, side{embedded, emb.URL, storageOf(emb)}, emb, layer)
	emb.Terminate()

	reg := world.StartRegistry(t, world.RegistryOptions{})
	up := world.StartProxy(t, world.ProxyOptions{Scenario: "memory-" + upstream, Config: upstreamConfig(reg)})
	b.memoryOf(t, side{upstream, up.URL, reg.Dir}, up, layer)
	up.Terminate()
	reg.Terminate()
}

func (b *bench) memoryOf(t world.T, s side, p *world.Proxy, layer blob) {
	const goal = 64.0
	t.Logf("memory, %s", s.name)
	if _, err := pushMany(t.Context(), s, 1, 1); err != nil { // what the first push of all needs stays
		t.Fatalf("%v", err)
	}
	idle := mebibytes(t, p.Pid(), "VmRSS")
	if err := passLayer(t.Context(), s, layer); err != nil {
		t.Fatalf("memory, %s: %v", s.name, err)
	}
	peak := mebibytes(t, p.Pid(), "VmHWM")
	b.add(row{
		what:   fmt.Sprintf("memory while a layer of %s is pushed and pulled, %s", bytesText(layer.size), s.name),
		theirs: fmt.Sprintf("%.0f MiB idle", idle), ours: fmt.Sprintf("%.0f MiB peak", peak),
		outcome: fmt.Sprintf("+ %.0f MiB", peak-idle), goal: fmt.Sprintf("< %.0f MiB", goal), pass: peak-idle < goal, pairs: 1,
	})
}

func passLayer(ctx context.Context, s side, layer blob) error {
	const name = "bench/memory"
	c := newClient(s.url, 1)
	defer c.close()
	if err := c.pushBlob(ctx, name, layer.open(), layer.digest); err != nil {
		return err
	}
	if err := c.pullBlob(ctx, name, layer.digest, layer.size); err != nil {
		return err
	}
	return s.removeBlob(layer.digest)
}

// mebibytes returns a line of /proc/<pid>/status, which counts in kB of 1024 bytes.
func mebibytes(t world.T, pid int, line string) float64 {
	text := field(fmt.Sprintf("/proc/%d/status", pid), line, "")
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	if err != nil {
		t.Fatalf("%s of process %d: %v", line, pid, err)
	}
	return n / 1024
}
