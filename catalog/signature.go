package catalog

import (
	"cmp"
	"context"
	"fmt"
)

// SignatureKind is how something is signed.
type SignatureKind string

// Kinds of signatures that git makes.
const (
	SignatureSSH     SignatureKind = "ssh"
	SignatureOpenPGP SignatureKind = "openpgp"
	SignatureX509    SignatureKind = "x509" // never verified
	SignatureNone    SignatureKind = "none"
)

// TagSignature is what is known of the signature of a version's tag, as things stood when its build was asked for.
type TagSignature struct {
	Kind   SignatureKind `json:"kind,omitempty"`   // empty: nothing is known, as of a lightweight tag
	Key    string        `json:"key,omitempty"`    // its fingerprint, as in Key, or what the signature tells of it
	Signer string        `json:"signer,omitempty"` // the user whose key that is; empty unless Verified
	// Verified says that the signature is good for the tag of this name, and of a key of Signer, a member who may write.
	Verified bool   `json:"verified,omitempty"`
	Reason   string `json:"reason,omitempty"` // why it is not verified, a clause safe to show
}

// String says it in a clause that follows on the tag's name.
func (s TagSignature) String() string {
	switch {
	case s.Verified:
		return fmt.Sprintf("signed by %s (%s)", s.Signer, s.Key)
	case s.Reason != "":
		return "not verified: " + s.Reason
	}
	return "not signed"
}

// Signed reports whether there is a signature, verified or not.
func (s TagSignature) Signed() bool { return s.Kind != "" && s.Kind != SignatureNone }

// TagVerifier finds out who signed tags.
type TagVerifier interface {
	// VerifyTag looks at the object of an annotated tag of a repository in a namespace; tag is its ref's name, without
	// refs/tags/. An error is of the store: whatever is wrong with the signature is in the answer.
	VerifyTag(ctx context.Context, namespace, tag string, object []byte) (TagSignature, error)
}

// VerifyTagOf looks at an annotated tag that is in a repository. One that can't be looked at is not verified.
func VerifyTagOf(ctx context.Context, v TagVerifier, from Sources, ref ImageRef, tag, object string) (TagSignature, error) {
	text, err := from.ReadTag(ctx, ref, object)
	if code := CodeOf(err); code == TooLarge || code == NotFound {
		return TagSignature{Reason: MessageOf(err)}, nil
	}
	if err != nil {
		return TagSignature{}, err
	}
	return v.VerifyTag(ctx, ref.Namespace, tag, text)
}

// CheckSignedTag says why a build can't be of an image with SignedTags. It takes the signature's word. Errors: Forbidden.
func (n NewBuild) CheckSignedTag(ref ImageRef) error {
	if n.Signature.Verified {
		return nil
	}
	const signedTag = "push a tag that is made with git tag -s"
	push := "then push it"
	if n.Trigger == TriggerGitHub {
		push = "then push it to GitHub with git push -f"
	}
	tag := cmp.Or(n.Tag, n.Version)
	var why string
	switch {
	case n.Trigger == TriggerUpload:
		why = "an upload has none; " + signedTag
	case n.Trigger == TriggerRegistry:
		why = "an image that is pushed has none; " + signedTag
	case n.Options.Branch != "":
		why = "a branch has none; " + signedTag
	case n.TagObject == "":
		why = fmt.Sprintf("%s is not annotated; make it again with git tag -f -s %s, %s", tag, tag, push)
	case n.Signature.Reason == "":
		why = fmt.Sprintf("%s is not signed; make it again with git tag -f -s %s, %s", tag, tag, push)
	default:
		why = fmt.Sprintf("%s is not verified: %s", tag, n.Signature.Reason)
	}
	return Errorf(Forbidden, "%s takes only tags that a member has signed: %s", ref, why)
}
