package buildkit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/moby/buildkit/session/sshforward"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// maxAgentMessage bounds what a step sends to an agent at once, in bytes, as OpenSSH's agent does.
	maxAgentMessage = 256 << 10
	// maxAgents is how many connections to agents a build's steps have at once; more wait.
	maxAgents = 64
)

// sshAgents serves agents with one key each, as `buildctl --ssh id=file` does, but that steps can't change them.
type sshAgents struct {
	sshforward.UnimplementedSSHServer
	keys    map[string]fixedKey // by alias
	running chan struct{}
}

func newSSHAgents() sshAgents {
	return sshAgents{keys: map[string]fixedKey{}, running: make(chan struct{}, maxAgents)}
}

// add adds a private key.
func (a *sshAgents) add(alias string, private []byte) error {
	key, err := ssh.ParseRawPrivateKey(private)
	if err != nil {
		return err
	}
	keyring, ok := agent.NewKeyring().(agent.ExtendedAgent)
	if !ok {
		return errors.New("this agent can't sign by SHA-2")
	}
	a.keys[alias] = fixedKey{keyring}
	return keyring.Add(agent.AddedKey{PrivateKey: key})
}

// Register implements session.Attachable.
func (a *sshAgents) Register(server *grpc.Server) { sshforward.RegisterSSHServer(server, a) }

// CheckAgent implements sshforward.SSHServer.
func (a *sshAgents) CheckAgent(_ context.Context, r *sshforward.CheckAgentRequest) (*sshforward.CheckAgentResponse, error) {
	if _, ok := a.keys[r.ID]; !ok {
		return nil, status.Errorf(codes.Unimplemented, "no SSH key %q", r.ID) // as a session says that has none
	}
	return &sshforward.CheckAgentResponse{}, nil
}

// ForwardAgent implements sshforward.SSHServer.
func (a *sshAgents) ForwardAgent(stream sshforward.SSH_ForwardAgentServer) error {
	var id string
	if header, ok := metadata.FromIncomingContext(stream.Context()); ok && len(header[sshforward.KeySSHID]) > 0 {
		id = header[sshforward.KeySSHID][0]
	}
	key, ok := a.keys[id]
	if !ok {
		return status.Errorf(codes.NotFound, "no SSH key %q", id)
	}
	select {
	case a.running <- struct{}{}:
		defer func() { <-a.running }()
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- key.serve(ours)
		_ = ours.Close()
	}()
	err := sshforward.Copy(stream.Context(), theirs, stream, nil)
	if end := <-served; err == nil && !errors.Is(end, io.EOF) && !errors.Is(end, io.ErrClosedPipe) {
		err = end
	}
	return err
}

// fixedKey is an agent whose key steps use; what they would have it keep is refused.
type fixedKey struct{ keyring agent.ExtendedAgent }

var errFixed = errors.New("the agent of a build can't be changed")

// List implements agent.ExtendedAgent, as all below.
func (k fixedKey) List() ([]*agent.Key, error) { return k.keyring.List() }
func (k fixedKey) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return k.keyring.Sign(key, data)
}
func (k fixedKey) Signers() ([]ssh.Signer, error) { return k.keyring.Signers() }
func (k fixedKey) SignWithFlags(key ssh.PublicKey, data []byte, flags agent.SignatureFlags) (*ssh.Signature, error) {
	return k.keyring.SignWithFlags(key, data, flags)
}
func (fixedKey) Extension(string, []byte) ([]byte, error) { return nil, agent.ErrExtensionUnsupported }
func (fixedKey) Add(agent.AddedKey) error                 { return errFixed }
func (fixedKey) Remove(ssh.PublicKey) error               { return errFixed }
func (fixedKey) RemoveAll() error                         { return errFixed }
func (fixedKey) Lock([]byte) error                        { return errFixed }
func (fixedKey) Unlock([]byte) error                      { return errFixed }

// serve answers on a connection until its end.
func (k fixedKey) serve(conn io.ReadWriter) error {
	return agent.ServeAgent(k, &agentMessages{conn: conn})
}

// agentMessages ends a connection at a message that is too long, before any of it is read.
type agentMessages struct {
	conn io.ReadWriter
	left int64 // bytes of the message that is being read
}

// Read implements io.Reader. The agent reads four bytes with the length, and then the message.
func (m *agentMessages) Read(p []byte) (int, error) {
	if m.left == 0 {
		var length [4]byte
		if len(p) != len(length) {
			return 0, io.ErrShortBuffer
		}
		if _, err := io.ReadFull(m.conn, length[:]); err != nil {
			return 0, err
		}
		if m.left = int64(binary.BigEndian.Uint32(length[:])); m.left > maxAgentMessage {
			return 0, fmt.Errorf("a message of %d bytes is too long for an agent", m.left)
		}
		return copy(p, length[:]), nil
	}
	n, err := m.conn.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

// Write implements io.Writer.
func (m *agentMessages) Write(p []byte) (int, error) { return m.conn.Write(p) }
