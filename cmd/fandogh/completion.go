package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// completionScripts writes the script of each shell.
var completionScripts = map[string]func(*cobra.Command) error{
	"bash":       func(c *cobra.Command) error { return c.Root().GenBashCompletionV2(c.OutOrStdout(), true) },
	"zsh":        func(c *cobra.Command) error { return c.Root().GenZshCompletion(c.OutOrStdout()) },
	"fish":       func(c *cobra.Command) error { return c.Root().GenFishCompletion(c.OutOrStdout(), true) },
	"powershell": func(c *cobra.Command) error { return c.Root().GenPowerShellCompletionWithDesc(c.OutOrStdout()) },
}

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Generate the shell completion script",
		Long: `Generate the script that completes commands, flags, image names and versions in
your shell: bash, zsh, fish or powershell.`,
		Example: `  source <(fandogh completion bash)
  fandogh completion zsh > "${fpath[1]}/_fandogh"
  fandogh completion fish > ~/.config/fish/completions/fandogh.fish`,
		Args:      usage.ExactArgs("SHELL"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			write, known := completionScripts[args[0]]
			if !known {
				return usage.Errorf("unsupported shell %q; supported: bash, zsh, fish, powershell", args[0])
			}
			return write(cmd)
		},
	}
}

type completer = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// complete lets the shell complete a flag's value. It only fails for a flag
// that is not there, and then nothing is completed.
func complete(cmd *cobra.Command, flag string, by completer) {
	_ = cmd.RegisterFlagCompletionFunc(flag, by)
}

func fixedValues(values ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	}
}

// maxCompletions is how many values the server is asked for.
const maxCompletions = 200

func (a *app) completeImages(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	images, err := client.Collect(c.Images(cmd.Context()), maxCompletions)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, image := range images {
		names = append(names, image.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeVersions completes versions of the image that --image names already.
func (a *app) completeVersions(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	image, err := imageOr(cmd.Flag("image").Value.String())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	versions, err := client.Collect(c.Versions(cmd.Context(), image), maxCompletions)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, version := range versions {
		names = append(names, version.Version)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
