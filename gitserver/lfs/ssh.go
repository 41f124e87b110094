package lfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/packets"
)

// sshSession is one client of git-lfs-transfer.
type sshSession struct {
	server    *Server
	caller    Caller
	operation Operation
	in        *packets.Reader
	out       *bufio.Writer
}

// request is a command with what follows it.
type request struct {
	name, value string            // "put-object", an OID
	arguments   map[string]string // "size": "12"
	data        io.Reader         // what follows the arguments, not read yet
}

// reply is what a command is answered.
type reply struct {
	status    int
	arguments []string
	lines     []string
	content   io.ReadCloser // in place of lines; the writer closes it
}

// commands of the protocol but quit. Those that change something are for uploads alone.
var commands = map[string]struct {
	upload bool
	run    func(*sshSession, context.Context, request) (reply, error)
}{
	"version":       {false, (*sshSession).version},
	"batch":         {false, (*sshSession).batch},
	"get-object":    {false, (*sshSession).getObject},
	"put-object":    {true, (*sshSession).putObject},
	"verify-object": {true, (*sshSession).verifyObject},
	"list-lock":     {false, (*sshSession).listLocks},
	"list-locks":    {false, (*sshSession).listLocks}, // as git-lfs before 3.4 asks before a push
	"lock":          {true, (*sshSession).createLock},
	"unlock":        {true, (*sshSession).deleteLock},
}

// Transfer speaks the protocol of git-lfs-transfer with a caller who may do what the operation takes, until the client
// quits or hangs up.
func (s *Server) Transfer(ctx context.Context, c Caller, operation Operation, in io.Reader, out io.Writer) error {
	t := &sshSession{server: s, caller: c, operation: operation, in: packets.NewReader(in), out: bufio.NewWriterSize(out, 64<<10)}
	err := t.send(reply{arguments: []string{"version=1", "locking"}})
	for quit := false; err == nil && !quit; {
		quit, err = t.next(ctx)
	}
	return err
}

// next answers one request. An error ends the session.
func (t *sshSession) next(ctx context.Context) (quit bool, err error) {
	t.in.NewRequest()
	req, err := t.read()
	if errors.Is(err, io.EOF) {
		return true, nil // the client hung up between two
	}
	if err != nil {
		return true, errors.Join(err, t.sendError(err))
	}
	if req.name == "quit" {
		return true, t.send(reply{status: http.StatusOK})
	}
	answer, err := t.run(ctx, req)
	// What is left of it would be taken for a request.
	if _, err := io.Copy(io.Discard, req.data); err != nil {
		return true, err
	}
	if err != nil {
		return false, t.sendError(err)
	}
	return false, t.send(answer)
}

func (t *sshSession) run(ctx context.Context, req request) (reply, error) {
	command, known := commands[req.name]
	switch {
	case !known:
		return reply{}, catalog.Errorf(catalog.Invalid, "the Git LFS protocol has no command %q", req.name)
	case command.upload && t.operation != Upload:
		return reply{}, catalog.Errorf(catalog.Forbidden, "%s is not part of a download", req.name)
	}
	if err := t.caller.StillMay(ctx, t.operation.Action()); err != nil {
		return reply{}, err
	}
	return command.run(t, ctx, req)
}

// read reads a command and its arguments. Errors: io.EOF, when there is none any more; Invalid, TooLarge.
func (t *sshSession) read() (req request, err error) {
	line, kind, err := t.in.Next()
	if err == nil && kind != packets.Line {
		err = catalog.Errorf(catalog.Invalid, "a command was expected")
	}
	if err != nil {
		return req, err
	}
	req = request{arguments: map[string]string{}, data: strings.NewReader("")}
	req.name, req.value, _ = strings.Cut(string(line), " ")
	for {
		line, kind, err := t.in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return req, catalog.Wrap(catalog.Invalid, io.ErrUnexpectedEOF, "the client closed the connection")
		case err != nil || kind == packets.Flush:
			return req, err
		case kind == packets.Delim:
			req.data = t.in.Data()
			return req, nil
		case len(req.arguments) == maxArguments:
			return req, catalog.Errorf(catalog.TooLarge, "%s has more than %d arguments", req.name, maxArguments)
		}
		key, value, _ := strings.Cut(string(line), "=")
		req.arguments[key] = value
	}
}

// maxArguments is more than any command has.
const maxArguments = 100

// send writes an answer.
func (t *sshSession) send(r reply) error {
	if r.content != nil {
		defer r.content.Close() //nolint:errcheck // only read
	}
	if r.status != 0 {
		t.line(fmt.Sprintf("status %03d", r.status))
	}
	for _, argument := range r.arguments {
		t.line(argument)
	}
	if r.lines != nil || r.content != nil {
		t.write(packets.DelimPacket)
	}
	for _, line := range r.lines {
		t.line(line)
	}
	if r.content != nil {
		if err := t.data(r.content); err != nil {
			return err
		}
	}
	t.write("0000")
	return t.out.Flush()
}

// write keeps its error for Flush.
func (t *sshSession) write(text string) { _, _ = t.out.WriteString(text) }

// noBreakSpace is shown as a space, and does not end a word.
const noBreakSpace = "\u00a0"

// maxLine is how long a line of git's may be, in bytes. What is longer repeats what a client said.
const maxLine = 65515

func (t *sshSession) line(text string) {
	text = text[:min(len(text), maxLine)]
	t.write(fmt.Sprintf("%04x%s\n", len(text)+5, text))
}

// maxData is how much of an object is in one packet, in bytes.
const maxData = 32 << 10

// data writes a content in packets. What can't be read to its end is never ended, so that no client takes it for whole.
func (t *sshSession) data(content io.Reader) error {
	packet := make([]byte, maxData)
	for {
		n, err := io.ReadFull(content, packet)
		if n > 0 {
			t.write(fmt.Sprintf("%04x", n+4))
			if _, err := t.out.Write(packet[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// sendError tells a client of an error. One of ours is logged.
func (t *sshSession) sendError(err error) error {
	status, message, fault := answerTo(err)
	if fault {
		t.server.config.Logger.Error("a Git LFS transfer failed", "image", t.caller.Ref, "error", err)
	}
	return t.send(reply{status: status, lines: []string{message}})
}

func (t *sshSession) version(_ context.Context, req request) (reply, error) {
	if req.value != "1" {
		return reply{}, catalog.Errorf(catalog.Invalid, "version %q of the Git LFS protocol is not supported; the only one is 1", req.value)
	}
	return reply{status: http.StatusOK, lines: []string{}}, nil
}

// wanted reads an object's name and its size.
func (req request) wanted() (wanted, error) {
	return parseWanted(req.value, req.arguments["size"])
}

func parseWanted(oid, text string) (wanted, error) {
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return wanted{}, catalog.FieldErrorf("size", "%q is not a valid size", text)
	}
	return wanted{OID: oid, Size: size}, nil
}

// batch says which objects are to be sent. The protocol has no words for one that can't be. Of "noop" git-lfs makes a success, and of
// "download" that it need not keep its own; what it shows, and takes for that one's error, is the name of an object that it did not ask for.
func (t *sshSession) batch(ctx context.Context, req request) (reply, error) {
	image, err := t.server.imageFor(ctx, t.caller, t.operation)
	if err == nil {
		err = checkBatch(0, req.arguments["hash-algo"])
	}
	if err != nil {
		return reply{}, err
	}
	objects, err := readBatch(req.data)
	if err == nil {
		err = t.server.use(ctx, image, objects, t.operation)
	}
	if err != nil {
		return reply{}, err
	}
	answer := reply{status: http.StatusOK, arguments: []string{"hash-algo=" + hashAlgo}, lines: []string{}}
	for _, w := range objects {
		send, refused, err := t.server.isToBeSent(ctx, image, w, t.operation)
		if err != nil {
			return reply{}, err
		}
		action := "noop"
		if send {
			action = string(t.operation)
		}
		if refused != nil {
			w.OID = strings.ReplaceAll(refused.Message, " ", noBreakSpace)
		}
		answer.lines = append(answer.lines, fmt.Sprintf("%s %d %s", w.OID, w.Size, action))
	}
	return answer, nil
}

// readBatch reads what a batch asks for. Errors: Invalid, TooLarge.
func readBatch(from io.Reader) (objects []wanted, err error) {
	scanner := bufio.NewScanner(from)
	for scanner.Scan() {
		if err := checkBatch(len(objects)+1, ""); err != nil {
			return nil, err
		}
		oid, rest, _ := strings.Cut(scanner.Text(), " ")
		size, _, _ := strings.Cut(rest, " ")
		w, err := parseWanted(oid, size)
		if err != nil {
			return nil, err
		}
		objects = append(objects, w)
	}
	if err := scanner.Err(); err != nil {
		return nil, catalog.Wrap(catalog.Invalid, err, "the request did not arrive whole")
	}
	return objects, nil
}

func (t *sshSession) getObject(ctx context.Context, req request) (reply, error) {
	content, object, err := t.server.open(ctx, t.caller.Ref, req.value)
	if catalog.CodeOf(err) == catalog.NotFound {
		err = errNoObject(req.value, t.caller.Ref)
	}
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, arguments: []string{fmt.Sprintf("size=%d", object.Size)}, content: content}, nil
}

func (t *sshSession) putObject(ctx context.Context, req request) (reply, error) {
	w, err := req.wanted()
	if err == nil {
		err = t.server.receive(ctx, t.caller, w, req.data)
	}
	return reply{status: http.StatusOK}, err
}

func (t *sshSession) verifyObject(ctx context.Context, req request) (reply, error) {
	w, err := req.wanted()
	if err != nil {
		return reply{}, err
	}
	image, err := t.server.imageFor(ctx, t.caller, Download)
	if err != nil {
		return reply{}, err
	}
	has, err := t.server.has(ctx, image, w, Download)
	if err == nil && !has {
		err = errNoObject(w.OID, t.caller.Ref)
	}
	return reply{status: http.StatusOK}, err
}
