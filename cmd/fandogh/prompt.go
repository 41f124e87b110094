package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// given returns value, or asks for it when it is missing and a user is there
// to be asked. flag is how else it is given.
func (a *app) given(ctx context.Context, value, what, flag string) (string, error) {
	if value != "" {
		return value, nil
	}
	if !a.interactive() {
		return "", usage.Errorf("%s is missing; use %s", strings.ToLower(a.Text(what)), flag)
	}
	answer, err := a.ask(ctx, a.Text(what)+": ")
	if err == nil && answer == "" {
		err = usage.Errorf("%s is missing; use %s", strings.ToLower(a.Text(what)), flag)
	}
	return answer, err
}

// confirm asks before something that can't be undone. Without a user to ask it
// takes the flag --yes.
func (a *app) confirm(ctx context.Context, question string) (bool, error) {
	if !a.interactive() {
		return false, usage.Errorf("%s There is no terminal to ask for confirmation; use --yes to confirm", question)
	}
	answer, err := a.ask(ctx, question+" [y/N] ")
	answer = strings.ToLower(answer)
	return slices.Contains([]string{"y", "yes", "بله", "ب"}, answer), err
}

// ask reads one line from the terminal.
func (a *app) ask(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(a.err, prompt)
	return a.await(ctx, func() (string, error) {
		// One byte at a time, or the next question's answer would be swallowed.
		line, err := bufio.NewReaderSize(oneByte{a.in}, 16).ReadString('\n') //nolint:forbidigo // its own user's terminal
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return strings.TrimSpace(line), err
	})
}

// askPassword reads a line that the terminal does not show.
func (a *app) askPassword(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(a.err, prompt)
	state, err := term.GetState(int(a.in.Fd()))
	if err != nil {
		return "", err
	}
	password, err := a.await(ctx, func() (string, error) {
		text, err := term.ReadPassword(int(a.in.Fd()))
		return string(text), err
	})
	fmt.Fprintln(a.err)
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(int(a.in.Fd()), state))
	}
	return password, err
}

// await runs a read that no context ends; after an interruption it is left to
// end with the program.
func (a *app) await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case got := <-answers:
		return got.text, got.err
	case <-ctx.Done():
		return "", language.Errorf("interrupted; nothing was done")
	}
}

// oneByte never reads ahead.
type oneByte struct{ io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.Reader.Read(p[:min(1, len(p))]) }
