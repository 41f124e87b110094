package dockerfile

import (
	"errors"

	"github.com/containerd/typeurl/v2"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/protobuf/types/known/emptypb"
)

// MistakeError is an error that the frontend found in a Dockerfile by itself, and not one
// that BuildKit answered it with. It travels through BuildKit as a detail of the
// error, so the error that a solve ends with has it too.
type MistakeError struct{ error }

// Unwrap returns the frontend's error.
func (m *MistakeError) Unwrap() error { return m.error }

// ToProto implements grpcerrors.TypedError.
func (m *MistakeError) ToProto() grpcerrors.TypedErrorProto { return &mistake{} }

// mistake is the detail: nothing but its type.
type mistake struct{ emptypb.Empty }

// WrapError implements grpcerrors.TypedErrorProto.
func (*mistake) WrapError(err error) error { return &MistakeError{err} }

func registerMistake() { typeurl.Register((*mistake)(nil), "fandogh", "dockerfile.Mistake+json") }

// answered marks, in the child, an error that came over the socket.
type answered struct{ error }

func (a *answered) Unwrap() error { return a.error }

// blame makes a MistakeError of an error that did not come over the socket.
func blame(err error) error {
	var theirs *answered
	if err == nil || errors.As(err, &theirs) {
		return err
	}
	return &MistakeError{err}
}
