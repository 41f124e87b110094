package lfs

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxBatch is how many objects one request may ask for; git-lfs asks for 100.
const maxBatch = 10_000

type batchRequest struct {
	Operation string   `json:"operation"`
	Objects   []wanted `json:"objects"`
	HashAlgo  string   `json:"hash_algo"`
}

type batchResponse struct {
	Transfer string        `json:"transfer"`
	Objects  []batchObject `json:"objects"`
	HashAlgo string        `json:"hash_algo"`
}

type batchObject struct {
	wanted
	Authenticated bool                   `json:"authenticated"`
	Actions       map[Operation]transfer `json:"actions,omitempty"`
	Error         *objectError           `json:"error,omitempty"`
}

// transfer is where and how an object is sent.
type transfer struct {
	Href      string            `json:"href"`
	Header    map[string]string `json:"header"`
	ExpiresIn int               `json:"expires_in,omitempty"` // seconds
}

type objectError struct {
	Code    int    `json:"code"` // an HTTP status
	Message string `json:"message"`
}

const hashAlgo = "sha256"

// batch says which objects are to be sent, and where.
func (c *call) batch() error {
	var request batchRequest
	if err := c.read(&request); err != nil {
		return err
	}
	operation, err := ParseOperation(request.Operation)
	if err == nil {
		err = c.may(operation.Action())
	}
	if err == nil {
		err = checkBatch(len(request.Objects), request.HashAlgo)
	}
	if err != nil {
		return err
	}
	image, err := c.server.imageFor(c.r.Context(), c.Caller, operation)
	if err == nil {
		err = c.server.use(c.r.Context(), image, request.Objects, operation)
	}
	if err != nil {
		return err
	}
	response := batchResponse{Transfer: "basic", Objects: []batchObject{}, HashAlgo: hashAlgo}
	for _, w := range request.Objects {
		object, err := c.object(image, w, operation)
		if err != nil {
			return err
		}
		response.Objects = append(response.Objects, object)
	}
	return c.answer(http.StatusOK, response)
}

// checkBatch refuses what no answer fits. Errors: TooLarge, Conflict.
func checkBatch(objects int, algorithm string) error {
	if objects > maxBatch {
		return catalog.Errorf(catalog.TooLarge, "the request has more than %d objects; set lfs.transfer.batchSize to a smaller number", maxBatch)
	}
	if algorithm != "" && algorithm != hashAlgo {
		return catalog.Errorf(catalog.Conflict, "the hash algorithm %q is not supported; the only one is %s", algorithm, hashAlgo)
	}
	return nil
}

// object answers for one object. An error is ours.
func (c *call) object(image catalog.Image, w wanted, operation Operation) (batchObject, error) {
	out := batchObject{wanted: w, Authenticated: true}
	var send bool
	var err error
	if send, out.Error, err = c.server.isToBeSent(c.r.Context(), image, w, operation); err != nil || !send {
		return out, err
	}
	to := transfer{
		Href:   fmt.Sprintf("%s/objects/%s?size=%d", c.server.base(image.Ref), w.OID, w.Size),
		Header: map[string]string{"Authorization": c.r.Header.Get("Authorization")}, // what was good for this
	}
	if !c.until.IsZero() {
		to.ExpiresIn = max(1, int(c.until.Sub(c.at).Seconds()))
	}
	out.Actions = map[Operation]transfer{operation: to}
	return out, nil
}

// isToBeSent reports whether an object is to be sent, or why it can't be. An error is ours.
func (s *Server) isToBeSent(ctx context.Context, image catalog.Image, w wanted, operation Operation) (bool, *objectError, error) {
	has, err := s.has(ctx, image, w, operation)
	if err == nil && !has && operation == Download {
		err = errNoObject(w.OID, image.Ref)
	}
	if err != nil {
		status, message, fault := answerTo(err)
		if fault {
			return false, nil, err
		}
		return false, &objectError{status, message}, nil
	}
	return !has || operation == Download, nil, nil // what an upload finds here needs nothing more
}

func errNoObject(oid string, ref catalog.ImageRef) error {
	return catalog.Errorf(catalog.NotFound, "%s does not have the Git LFS object %s; upload it with git lfs push --all REMOTE from a clone that has it", ref, oid)
}
