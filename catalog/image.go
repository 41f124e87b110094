package catalog

import (
	"context"
	"time"
)

// Image is a named project: one git repository, one OCI repository. One of several that are built from one repository has
// no git repository of its own: its Source is the image that has it.
type Image struct {
	ID          int64
	Ref         ImageRef
	SourceID    int64 // the image whose repository its builds read; ID itself for most
	Source      ImageRef
	OwnerID     int64
	CreatedAt   time.Time
	SignedTags  bool     // only tags that a member signed become versions
	SourceSigns bool     // SignedTags of Source
	LastVersion *Version // the newest, nil while there is none
}

// Values of a setting that is required or off.
const (
	SettingRequired = "required"
	SettingOff      = "off"
)

// ParseSignedTags reads the value of Image.SignedTags. Errors: Invalid.
func ParseSignedTags(text string) (bool, error) {
	switch text {
	case SettingRequired, SettingOff:
		return text == SettingRequired, nil
	}
	return false, FieldErrorf("signed_tags", "%q is not a valid value of signed_tags; the values are: %s, %s", text, SettingRequired, SettingOff)
}

// SignedTagsSetting is Image.SignedTags in a word.
func (i Image) SignedTagsSetting() string {
	if i.SignedTags {
		return SettingRequired
	}
	return SettingOff
}

// NeedsSignedTags reports whether only tags that a member signed become versions: as it, or the image whose repository it is
// built from, is set.
func (i Image) NeedsSignedTags() bool { return i.SignedTags || i.SourceSigns }

// SignedTagsSentence says what Image.SignedTags means.
func (i Image) SignedTagsSentence() string {
	switch {
	case i.SignedTags:
		return i.Ref.String() + " takes only tags that a member has signed"
	case i.SourceSigns:
		return i.Ref.String() + " takes only tags that a member has signed, as " + i.Source.String() + " does, from whose repository it is built"
	}
	return i.Ref.String() + " takes any tags, signed or not"
}

// ImageUpdate is what UpdateImage changes; nil leaves a thing as it is.
type ImageUpdate struct {
	SignedTags *bool
}

// CheckOwnSource refuses what gives sources to an image that is built from another's repository. Errors: Conflict.
func (i Image) CheckOwnSource() error {
	if i.SourceID == i.ID {
		return nil
	}
	return Errorf(Conflict, "image %s is built from the repository of %s, whose .fandogh/config.yml lists it; send its sources there", i.Ref, i.Source)
}

// NewImage is what CreateImage stores.
type NewImage struct {
	Ref      ImageRef
	OwnerID  int64
	SourceID int64 // of the same namespace; 0: it has its own repository
}

// Images stores images. Names are found without regard to case.
type Images interface {
	// CreateImage makes an image without versions. Errors: Invalid, NotFound
	// (namespace, source), Conflict (the name is taken, in any case, or a FormerName), Unavailable (it is being removed).
	CreateImage(ctx context.Context, i NewImage) (Image, error)
	// Image returns an image. Errors: NotFound, Moved (it was transferred), Unavailable (it is being transferred).
	Image(ctx context.Context, ref ImageRef) (Image, error)
	// ImageByID returns an image by its ID. Errors: NotFound.
	ImageByID(ctx context.Context, imageID int64) (Image, error)
	// ListImages returns a namespace's images, newest first; those of all namespaces
	// for "".
	ListImages(ctx context.Context, namespace string, page Page) ([]Image, error)
	// UpdateImage changes an image. Errors: NotFound.
	UpdateImage(ctx context.Context, imageID int64, u ImageUpdate) (Image, error)
	// DeleteImage removes an image with its versions, builds and steps, and leaves a
	// Removal.
	// Errors: NotFound, Conflict (a version has a build that waits or runs, or other images are built from its repository),
	// Unavailable (a Move).
	DeleteImage(ctx context.Context, imageID int64) error
}
