// Proxy is Hallmark: it signs what is pushed through it. See README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"hallmark/proxy/config"
)

// version is set by the linker in a release.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "proxy: "+err.Error())
		os.Exit(1)
	}
}

// run is the program. It returns when the command has ended; a server ends when ctx does, with nil.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	cmd := rootCommand(&world{getenv: getenv})
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd.ExecuteContext(ctx)
}

// world is what every command is given: the environment, and the flags that all of them have.
type world struct {
	getenv     func(string) string
	configFile string
	listen     string
	data       string
}

// load reads the configuration as the flags say.
func (w *world) load() (*config.Config, error) {
	return config.Load(w.configFile, w.getenv, config.Overrides{Listen: w.listen, Data: w.data}, packageFormats()...)
}

func rootCommand(w *world) *cobra.Command {
	root := &cobra.Command{
		Use:   "proxy",
		Short: "Hallmark signs what is pushed: a proxy in front of registries and package repositories",
		Long: `Hallmark stands in front of an OCI registry and of package repositories, or is
these itself. It signs every image, package and file that is pushed through it, and the
indexes that list them, before anybody can see them. Clients stay as they are.

Without a command and without a configuration it serves on 127.0.0.1:8080, keeps
everything under ./data and generates its keys:

  proxy
  docker push 127.0.0.1:8080/team/app:1
  cosign verify --private-infrastructure=true \
    --key http://127.0.0.1:8080/-/keys/images/cosign.pub 127.0.0.1:8080/team/app:1
  curl -T hello_1.0_amd64.deb http://127.0.0.1:8080/debian/stable/main/
  curl -s 'http://127.0.0.1:8080/-/setup/debian?client=apt' | sudo sh && sudo apt-get install hello

There is a repository of each format, named after it; "proxy repo list" lists them.

Settings come from flags, then HALLMARK_* environment variables, then the file
given by --config; config.example.yml explains each.`,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return serve(cmd, w) },
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&w.configFile, "config", "c", w.getenv("HALLMARK_CONFIG"), "configuration file (YAML)")
	flags.StringVar(&w.listen, "listen", "", "address to listen on, over the configuration's")
	flags.StringVar(&w.data, "data", "", "folder of all data, over the configuration's")
	root.AddCommand(serveCommand(w), configCommand(w), keysCommand(w), verifyCommand(w), repoCommand(w), versionCommand())
	for _, cmd := range root.Commands() {
		explain(cmd)
	}
	return root
}

// explain lets a command that is used wrongly, and those below it, say how it is used. Where there are such, one that is not
// known is an error: cobra would print the help and call that a success.
func explain(cmd *cobra.Command) {
	usage := cmd.UseLine()
	if cmd.HasSubCommands() && !cmd.Runnable() {
		usage = cmd.CommandPath() + " COMMAND"
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%w; it is used as: %s (--help says more)", err, usage)
			}
			return nil
		}
	}
	for _, below := range cmd.Commands() {
		explain(below)
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), versionText()) },
	}
}
