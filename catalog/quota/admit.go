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
