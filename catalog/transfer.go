package catalog

import "context"

// Move is an image that is of another namespace, while its files are still found by its former name. Until they are moved the image
// is Unavailable by its name, and no build of it starts.
type Move struct {
	ID      int64
	ImageID int64
	From    ImageRef
	To      ImageRef
}

// FormerName is a name by which an image went before it was transferred. It stays taken: it would be other bytes to who
// pulls by it.
type FormerName struct {
	Ref     ImageRef
	ImageID int64
	Image   ImageRef // its name now
}

// Refuse says where the image went. Errors: Moved.
func (f FormerName) Refuse() error {
	return Errorf(Moved, "image %s was transferred and is %s now; use that name", f.Ref, f.Image)
}

// Taken says why no image can have the name. Errors: Conflict.
func (f FormerName) Taken() error {
	return Errorf(Conflict, "image %s was transferred and is %s now, and its former name never means another image; use the new name, choose another, "+
		"or ask an administrator of the server to free the name with: fandoghd admin tombstone lift %[1]s", f.Ref, f.Image)
}

// Transfers stores which images go to other namespaces.
type Transfers interface {
	// TransferImage gives an image that has a repository of its own, and all that are built from it, to another namespace, with
	// their versions, builds, tombstones, webhooks, connections, secrets, retention rules and removals. It leaves a Move for each
	// and keeps their former names; what was those of a transfer back is free of them. image must be as it was looked up.
	// Quotas of the namespace are checked, but for bytes. Errors: NotFound (image, namespace), Conflict (it is there already; it is
	// built from another's repository; a name is taken; a build runs), Forbidden (quotas, builds that may wait), Unavailable (a Move or a Removal).
	TransferImage(ctx context.Context, image Image, namespace string) ([]Move, error)
	// TransferredWith returns an image, and those that TransferImage takes along, by their ID.
	TransferredWith(ctx context.Context, imageID int64) ([]Image, error)
	// Moves returns those that are to be done, the oldest first.
	Moves(ctx context.Context) ([]Move, error)
	// EndMove makes the image of a Move available, whose files are moved. Errors: NotFound.
	EndMove(ctx context.Context, id int64) error
	// FormerNames returns those of a namespace.
	FormerNames(ctx context.Context, namespace string) ([]FormerName, error)
	// FreeFormerName lets another image have a name. Errors: NotFound.
	FreeFormerName(ctx context.Context, ref ImageRef) error
}

// TransferControl transfers images for who may: who manages both namespaces, which the caller has found out.
type TransferControl interface {
	// Transfer gives an image to another namespace, as Transfers.TransferImage does, and moves its files. Where these can't be moved now, they
	// are moved later. Errors: those of TransferImage, Forbidden (quota of bytes), Unavailable (a backup runs).
	Transfer(ctx context.Context, image Image, namespace string) ([]Move, error)
}

// AuthorizeTransfer asks whether an identity may manage both namespaces. The image's is asked first. Errors: as Authorize.
func AuthorizeTransfer(ctx context.Context, roles Namespaces, id Identity, ref ImageRef, to string) error {
	if to == "" {
		return FieldErrorf("namespace", "a transfer needs the namespace that the image is to go to")
	}
	err := Authorize(ctx, roles, id, ActionManage, Target{Namespace: ref.Namespace, Image: ref.Name})
	if err != nil {
		return err
	}
	return Authorize(ctx, roles, id, ActionManage, Target{Namespace: to, Image: ref.Name})
}

// CheckNotMoved refuses what lasts about an image that was transferred meanwhile: who may go on was asked of its former namespace. Without
// a name it is about no image. Errors: Moved, and those of looking.
func CheckNotMoved(ctx context.Context, images Images, ref ImageRef) error {
	if ref.Name == "" {
		return nil
	}
	_, err := images.Image(ctx, ref)
	if CodeOf(err) == NotFound {
		return nil
	}
	return err
}
