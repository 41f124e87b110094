package rest

import "slices"

// route is one row of the API. The path follows the prefix; {namespace} in it
// takes the place of the ACTIVE-NAMESPACE header.
type route struct {
	method string
	path   string
	access access
	handle handler
}

func routes() []route {
	const (
		namespace = "namespaces/{namespace}"
		image     = "images/{name}"
		version   = image + "/versions/{version}"
	)
	return slices.Concat([]route{
		{"GET", "version", accessOpen, answer((*call).programVersion)},

		{"POST", "tokens", accessOpen, accept((*call).createToken)},
		{"GET", "tokens", accessSelfRead, answer((*call).listTokens)},
		{"DELETE", "tokens/{id}", accessSelfWrite, (*call).deleteToken},

		{"GET", "accounts", accessSelfRead, answer((*call).account)},
		{"PATCH", "accounts", accessSelfWrite, accept((*call).updateAccount)},
		{"GET", "accounts/{user}", accessSelfRead, answer((*call).account)},
		{"PATCH", "accounts/{user}", accessSelfWrite, accept((*call).updateAccount)},

		{"GET", "keys", accessSelfRead, answer((*call).listKeys)},
		{"POST", "keys", accessSelfWrite, accept((*call).createKey)},
		{"DELETE", "keys/{id}", accessSelfWrite, (*call).deleteKey},

		// As the published contract has them.
		{"GET", "users/namespaces", accessSelfRead, answer((*call).listNamespaces)},
		{"GET", "users/namespaces/{namespace}", accessRead, answer((*call).oneNamespace)},
		{"POST", "errors", accessOpen, (*call).crashReport},

		{"GET", "namespaces", accessSelfRead, answer((*call).listNamespaces)},
		{"POST", "namespaces", accessSelfWrite, accept((*call).createNamespace)},
		{"GET", namespace + "/members", accessRead, answer((*call).listMembers)},
		{"PUT", namespace + "/members/{user}", accessManage, accept((*call).setMember)},
		{"DELETE", namespace + "/members/{user}", accessManage, (*call).deleteMember},

		{"GET", namespace + "/limits", accessRead, answer((*call).namespaceLimits)},
		{"GET", namespace + "/usage", accessRead, answer((*call).namespaceUsage)},

		{"GET", "signing-keys", accessSelfRead, answer((*call).signingKeys)},

		{"GET", "images", accessRead, (*call).listImages},
		{"POST", "images", accessWrite, accept((*call).createImage)},
		{"PATCH", image, accessManage, accept((*call).updateImage)},
		{"DELETE", image, accessManage, (*call).deleteImage},
		{"POST", image + "/transfer", accessManage, accept((*call).transferImage)},
		{"GET", image + "/default-branch", accessRead, answer((*call).defaultBranch)},
		{"PUT", image + "/default-branch", accessManage, accept((*call).setDefaultBranch)},

		{"GET", image + "/versions", accessRead, (*call).listVersions},
		{"POST", image + "/versions", accessWrite, answer((*call).createVersion)},
		{"GET", version, accessRead, answer((*call).versionDetail)},
		{"GET", version + "/history", accessRead, answer((*call).history)},
		{"GET", version + "/origin", accessRead, answer((*call).origin)},
		{"GET", version + "/sbom", accessRead, answer((*call).sbom)},
		{"DELETE", version, accessManage, (*call).deleteVersion},
		{"POST", version + "/cancel", accessWrite, answer((*call).cancel)},
		{"POST", version + "/rebuild", accessWrite, acceptOptional((*call).rebuild)},
		{"POST", version + "/compare", accessWrite, (*call).compare},

		{"GET", "events", accessReadAll, (*call).events},

		{"GET", image + "/github", accessRead, answer((*call).githubStatus)},
		{"PUT", image + "/github", accessManage, accept((*call).githubConnect)},
		{"DELETE", image + "/github", accessManage, (*call).githubDisconnect},
		{"POST", image + "/github/sync", accessWrite, answer((*call).githubSync)},

		{"GET", namespace + "/secrets", accessRead, answer((*call).listSecrets)},
		{"POST", namespace + "/secrets", accessManage, accept((*call).setSecret)},
		{"DELETE", namespace + "/secrets/{id}", accessManage, (*call).deleteSecret},
		{"GET", namespace + "/registries", accessRead, answer((*call).listRegistries)},
		{"POST", namespace + "/registries", accessManage, accept((*call).setRegistry)},
		{"DELETE", namespace + "/registries/{id}", accessManage, (*call).deleteRegistry},
	}, webhookRoutes(), buildRoutes(), retentionRoutes(), adminRoutes())
}

// webhookRoutes are those of images and of namespaces. An address may be a secret by itself, so that only owners see it.
func webhookRoutes() []route {
	const (
		namespace = "namespaces/{namespace}"
		image     = "images/{name}"
	)
	return []route{
		{"GET", image + "/webhooks", accessManage, answer((*call).listWebhooks)},
		{"POST", image + "/webhooks", accessManage, accept((*call).createWebhook)},
		{"DELETE", image + "/webhooks/{id}", accessManage, (*call).deleteWebhook},
		{"GET", image + "/webhooks/{id}/deliveries", accessManage, answer((*call).webhookDeliveries)},
		{"POST", image + "/webhooks/{id}/deliveries/{delivery}/redeliver", accessManage, answer((*call).redeliver)},
		{"GET", namespace + "/webhooks", accessManage, answer((*call).listWebhooks)},
		{"POST", namespace + "/webhooks", accessManage, accept((*call).createWebhook)},
		{"DELETE", namespace + "/webhooks/{id}", accessManage, (*call).deleteWebhook},
		{"GET", namespace + "/webhooks/{id}/deliveries", accessManage, answer((*call).webhookDeliveries)},
		{"POST", namespace + "/webhooks/{id}/deliveries/{delivery}/redeliver", accessManage, answer((*call).redeliver)},
	}
}

// buildRoutes are about what was done to make versions.
func buildRoutes() []route {
	const version = "images/{name}/versions/{version}"
	return []route{
		{"GET", version + "/builds", accessRead, answer((*call).builds)},
		{"GET", version + "/builds/{build}/log", accessRead, (*call).buildLog},
		{"GET", version + "/builds/{build}/diagnosis", accessRead, answer((*call).diagnosis)},
	}
}

// retentionRoutes are about which versions stay, and which were deleted.
func retentionRoutes() []route {
	const (
		namespace = "namespaces/{namespace}"
		image     = "images/{name}"
	)
	return []route{
		{"GET", image + "/retention", accessRead, answer((*call).retentionRules)},
		{"GET", image + "/retention/preview", accessRead, answer((*call).previewRetention)},
		{"PUT", image + "/retention/{kind}", accessManage, accept((*call).setRetentionRule)},
		{"DELETE", image + "/retention/{kind}", accessManage, (*call).deleteRetentionRule},
		{"GET", image + "/deleted-versions", accessRead, answer((*call).deletedVersions)},
		{"GET", namespace + "/former-images", accessRead, answer((*call).formerImages)},
		{"GET", namespace + "/retention", accessRead, answer((*call).retentionRules)},
		{"PUT", namespace + "/retention/{kind}", accessManage, accept((*call).setRetentionRule)},
		{"DELETE", namespace + "/retention/{kind}", accessManage, (*call).deleteRetentionRule},
	}
}

// adminRoutes do what fandoghd admin does, through the daemon. What they are about is in no namespace of the request.
func adminRoutes() []route {
	return []route{
		{"GET", "admin/users", accessOperate, answer((*call).listUsers)},
		{"POST", "admin/users", accessOperate, accept((*call).createUser)},
		{"GET", "admin/users/{user}", accessOperate, answer((*call).userDetail)},
		{"PATCH", "admin/users/{user}", accessOperate, accept((*call).updateUser)},
		{"DELETE", "admin/users/{user}", accessOperate, (*call).deleteUser},
		{"GET", "admin/users/{user}/tokens", accessOperate, answer((*call).tokensOf)},
		{"POST", "admin/users/{user}/tokens", accessOperate, accept((*call).createTokenOf)},
		{"DELETE", "admin/users/{user}/tokens", accessOperate, (*call).revokeTokensOf},
		{"DELETE", "admin/users/{user}/tokens/{id}", accessOperate, (*call).revokeTokenOf},
		{"GET", "admin/users/{user}/keys", accessOperate, answer((*call).keysOf)},
		{"POST", "admin/users/{user}/keys", accessOperate, accept((*call).createKeyOf)},
		{"DELETE", "admin/users/{user}/keys/{id}", accessOperate, (*call).deleteKeyOf},
		{"GET", "admin/namespaces", accessOperate, answer((*call).allNamespaces)},
		{"DELETE", "admin/namespaces/{shared}", accessOperate, (*call).deleteNamespace},
		{"PATCH", "admin/namespaces/{shared}/limits", accessOperate, accept((*call).updateNamespaceLimits)},
		{"DELETE", "admin/namespaces/{shared}/images/{image}/deleted-versions/{version}", accessOperate, (*call).liftTombstone},
		{"DELETE", "admin/namespaces/{shared}/former-images/{image}", accessOperate, (*call).freeImage},
		{"GET", "admin/queue", accessOperate, answer((*call).buildQueue)},
		{"PUT", "admin/queue/pause", accessOperate, accept((*call).pauseQueue)},
		{"DELETE", "admin/queue/pause", accessOperate, (*call).resumeQueue},
		{"GET", "admin/usage", accessOperate, answer((*call).serverUsage)},
		{"GET", "audit", accessOperate, answer((*call).listAudit)},
		{"GET", "admin/registries", accessOperate, answer((*call).listRegistries)},
		{"POST", "admin/registries", accessOperate, accept((*call).setRegistry)},
		{"DELETE", "admin/registries/{id}", accessOperate, (*call).deleteRegistry},
		{"GET", "admin/mirror", accessOperate, answer((*call).listMirrored)},
		{"DELETE", "admin/mirror", accessOperate, answer((*call).pruneMirrored)},
	}
}
