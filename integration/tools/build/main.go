// Command build puts the pinned tools into the cache, one after another, all of them or those it is given:
//
//	go run ./integration/tools/build [NAME...]
//
// It says on standard error what it builds and how long that took, and prints the path of each program on
// standard output, in the order asked for.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"hallmark/integration/tools"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string, stdout, stderr io.Writer) error {
	wanted, err := choose(names)
	if err != nil {
		return err
	}
	for _, tool := range wanted {
		if err := build(ctx, tool, stderr); err != nil {
			return err
		}
		fmt.Fprintln(stdout, tool.Path)
	}
	return nil
}

func choose(names []string) ([]tools.Tool, error) {
	if len(names) == 0 {
		return tools.All()
	}
	var wanted []tools.Tool
	for _, name := range names {
		tool, err := tools.Find(name)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, tool)
	}
	return wanted, nil
}

// build compiles one tool and shows a sign of life every half minute: cosign takes minutes.
func build(ctx context.Context, tool tools.Tool, progress io.Writer) error {
	if tool.Built() {
		return nil
	}
	fmt.Fprintf(progress, "tools: building %s, the first time takes up to some minutes\n", tool.Name)
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- tool.Build(ctx) }()
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			fmt.Fprintf(progress, "tools: %s took %s\n", tool.Name, time.Since(start).Round(time.Second))
			return nil
		case <-tick.C:
			fmt.Fprintf(progress, "tools: still building %s, %s so far\n", tool.Name, time.Since(start).Round(time.Second))
		}
	}
}
