package main

import "os"

// environment is what `become` sets, for the clients.
type environment map[string]string

func (e environment) Setenv(name, value string) { e[name] = value }
func (e environment) Getenv(name string) string { return e[name] }

func (e environment) list() []string {
	all := append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL="+e["HOME"]+"/.gitconfig")
	for name, value := range e {
		all = append(all, name+"="+value)
	}
	return all
}
