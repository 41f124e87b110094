package catalog

import "testing"

func TestSSHCommand(t *testing.T) {
	for _, c := range []struct{ address, command, want string }{
		{"git.example:2222", "help", "ssh -p 2222 git@git.example help"},
		{"git.example:22", "logs -f a/b v1", "ssh git@git.example logs -f a/b v1"},
		{"git.example", "help", "ssh git@git.example help"},
		{"[::1]:2222", "", "ssh -p 2222 git@::1"},
		{"", "help", "ssh git@HOST help"},
	} {
		if got := SSHCommand(c.address, c.command); got != c.want {
			t.Errorf("%q, %q: got %q, want %q", c.address, c.command, got, c.want)
		}
	}
}
