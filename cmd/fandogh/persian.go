package main

import "maps"

// persian are all texts that the program says in Persian, by the English ones: a text that changes in English is to be translated again, and
// a test tells of it. A sentence begins with a Persian word, by which terminals that go by the text know its direction.
var persian = func() map[string]string {
	all := map[string]string{}
	for _, part := range []map[string]string{persianOutput, persianErrors, persianFlags, persianCommands, persianManagement} {
		maps.Copy(all, part)
	}
	return all
}()
