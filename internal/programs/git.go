package programs

import (
	"context"
	"path/filepath"
)

// MakeKey makes an ssh key in dir and returns the private one's path.
func MakeKey(ctx context.Context, dir string) (string, error) {
	key := filepath.Join(dir, "key")
	_, err := Command(ctx, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "key", "-f", key)
	return key, err
}

// SSHFlags are for a client that has a key of MakeKey and asks the user nothing.
func SSHFlags(key string) string {
	return "-F /dev/null -i " + key + " -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
}

// GitEnv is a stock git's environment without this machine's settings.
func GitEnv(sshFlags string) []string {
	return []string{
		"GIT_SSH_COMMAND=ssh " + sshFlags, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Bench", "GIT_AUTHOR_EMAIL=bench@localhost", "GIT_COMMITTER_NAME=Bench", "GIT_COMMITTER_EMAIL=bench@localhost",
	}
}
