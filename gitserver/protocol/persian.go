package protocol

// persian is what a push says to people while it is taken, in Persian, by the English texts.
var persian = map[string]string{
	"Checking %d objects": "بررسی %d شیء",
	"warning: %s does not exist, so there is nothing to delete": "هشدار: %s وجود ندارد، پس چیزی برای حذف نیست",
}
