package quota

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Admit implements catalog.Admission.
func (s *Service) Admit(ctx context.Context, namespace string, more catalog.Amounts) error {
	return s.AdmitContents(ctx, namespace, nil, more)
}

// AdmitContents implements catalog.Admission. What a namespace uses is looked up only where it may not have any amount.
func (s *Service) AdmitContents(ctx context.Context, namespace string, contents map[string]int64, more catalog.Amounts) error {
	if err := s.config.Room(); err != nil {
		return err
	}
	quota, err := s.quota(ctx, namespace)
	if err != nil {
		return err
	}
	var used catalog.Amounts
	if quota.Images > 0 || quota.Versions > 0 || quota.Builds > 0 {
		n, err := s.config.Store.Namespace(ctx, namespace)
		if err == nil {
			used, err = s.config.Store.NamespaceAmounts(ctx, n.ID)
		}
		if err != nil {
			return err
		}
	}
	if quota.Bytes > 0 && (more.Bytes > 0 || len(contents) > 0) {
		use, has, err := s.usage(ctx, namespace)
		if err != nil {
			return err
		}
		used.Bytes = use.Bytes()
		for digest, size := range contents {
			if _, known := has[digest]; !known {
				more.Bytes += size
			}
		}
	}
	return quota.Check(namespace, used, more)
}

// AdmitTransfer refuses images of one namespace that take more than another may have. Nothing is counted here, which the store does. Errors: NotFound, Forbidden.
func (s *Service) AdmitTransfer(ctx context.Context, images []catalog.Image, namespace string) error {
	quota, err := s.quota(ctx, namespace)
	if err != nil || quota.Bytes <= 0 || len(images) == 0 {
		return err
	}
	use, has, err := s.usage(ctx, namespace)
	if err != nil {
		return err
	}
	from, err := s.config.Store.Namespace(ctx, images[0].Ref.Namespace)
	if err == nil {
		err = s.measure(ctx, from.ID)
	}
	if err != nil {
		return err
	}
	come, taken := map[int64]bool{}, int64(0)
	for _, image := range images {
		come[image.ID] = true
		taken += s.config.Git(image.Ref)
	}
	contents, err := s.config.Store.ListContents(ctx, from.ID)
	if err != nil {
		return err
	}
	for _, c := range contents {
		if _, known := has[c.Digest]; come[c.ImageID] && !known {
			has[c.Digest] = c.Bytes
			taken += c.Bytes
		}
	}
	logs, err := s.config.Store.ListLogs(ctx, from.ID)
	for _, l := range logs {
		if come[l.ImageID] {
			taken += s.config.Log(l.BuildID)
		}
	}
	if err != nil {
		return err
	}
	return catalog.Quota{Bytes: quota.Bytes}.Check(use.Namespace, catalog.Amounts{Bytes: use.Bytes()}, catalog.Amounts{Bytes: taken})
}
