package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hallmark/proxy/config"
)

func configCommand(w *world) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check or print the configuration"}
	check := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say whether a configuration file is right",
		Long: `Check reads a configuration file, FILE or that of --config, as the server would,
with the flags and the environment over it, and prints every fault with its line and
column. It opens no other file and touches no data.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				w.configFile = args[0]
			}
			if w.configFile == "" {
				return errors.New("name the file that is to be checked: proxy config check hallmark.yml")
			}
			if _, err := w.load(); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), w.configFile+": ok")
			return nil
		},
	}
	print := &cobra.Command{
		Use:   "print",
		Short: "Print the configuration in force, defaults included",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := w.load()
			if err != nil {
				return err
			}
			return config.Print(cmd.OutOrStdout(), c)
		},
	}
	cmd.AddCommand(check, print)
	return cmd
}
