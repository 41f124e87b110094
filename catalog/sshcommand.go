package catalog

import (
	"net"
	"strings"
)

// SSHCommand returns what a user types to run a command at the git server, as "ssh -p 2222 git@host logs -f ns/app v1.0".
// address is the server's, "host" or "host:port", as users reach it; "" is one that is not known. Without a command it is how the
// server is reached.
func SSHCommand(address, command string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, ""
	}
	if host == "" {
		host = "HOST"
	}
	words := "ssh "
	if port != "" && port != "22" {
		words += "-p " + port + " "
	}
	return strings.TrimSpace(words + "git@" + host + " " + command)
}
