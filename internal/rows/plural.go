package rows

import "strings"

// Plural returns the plural of an English word: "categories" for "category", "people"
// for "person". A word that is a plural stays one. Of a name of several words the last
// is turned: "userCategories" for "userCategory", "blog_posts" for "blog_post".
//
// The rules are those of school, with a list of common exceptions. A word that the
// list doesn't have gets the ending that its last letters ask for, mostly an s. It
// stays as it is if it ends in an s (but not in ss, us, sis and xis), or in a letter
// beyond a to z. So an unknown singular in s, such as "chaos", passes for a plural.
func Plural(word string) string { return turnLast(word, plural) }

// Singular returns the singular of an English word: "child" for "children", "status"
// for "statuses". A word that is a singular stays one. A word that the list doesn't
// have loses the s at its end, or es after x, ch, sh, ss and us: "zorb" for "zorbs".
// It stays as it is if it ends in ss, us or is, or without an s.
func Singular(word string) string { return turnLast(word, singular) }

// ForeignKey returns the name of the member by which rows name a row of that
// collection: postId for posts.
func ForeignKey(collection string) string { return Singular(collection) + "Id" }

const (
	// These are their own plurals.
	uncountable = `advice agenda aircraft analytics audio bluetooth cash chess clothes clothing deer
 dns economics equipment evidence fish furniture glasses gps hardware headquarters health help
 homework information jeans logistics luggage mathematics means media metadata moose music news
 pants physics politics pumice rice salmon scissors series sheep shorts shrimp sms software species
 staff statistics swine tennis thanks traffic trousers`

	// These get an s, though their ends look like those of other words.
	regular = `human german roman norman shaman talisman ottoman specimen regimen abdomen omen lumen
 stamen movie cookie zombie genie rookie selfie hoodie brownie calorie smoothie foodie goalie newbie
 indie prairie freebie necktie magpie birdie pixie junkie talkie walkie hippie auntie collie menu
 guru emu gnu haiku milieu sku cpu gpu caribou taxi ski wiki emoji api kpi ui gui alibi bikini kiwi
 rabbi safari wifi axe cache ache headache toothache avalanche niche psyche quiche mustache moustache
 stomach epoch monarch tech olive use reuse fuse muse ruse excuse abuse`

	// These have a plural of their own. A rule with a dash is also one for longer
	// words: that for man turns woman too.
	irregular = `-man/men -person/people -child/children -foot/feet -tooth/teeth -mouse/mice goose/geese
 louse/lice ox/oxen die/dice -quiz/quizzes -life/lives -wife/wives -knife/knives -leaf/leaves
 -loaf/loaves -thief/thieves -half/halves -calf/calves -self/selves -shelf/shelves -wolf/wolves
 elf/elves hoof/hooves scarf/scarves -hero/heroes potato/potatoes tomato/tomatoes echo/echoes
 veto/vetoes torpedo/torpedoes mosquito/mosquitoes tornado/tornadoes volcano/volcanoes
 embargo/embargoes domino/dominoes cargo/cargoes buffalo/buffaloes lens/lenses alias/aliases gas/gases
 atlas/atlases bias/biases canvas/canvases iris/irises oasis/oases crisis/crises emphasis/emphases
 genesis/geneses neurosis/neuroses datum/data criterion/criteria phenomenon/phenomena
 bacterium/bacteria curriculum/curricula stratum/strata erratum/errata addendum/addenda
 memorandum/memoranda alumnus/alumni cactus/cacti fungus/fungi nucleus/nuclei radius/radii
 stimulus/stimuli syllabus/syllabi larva/larvae genus/genera corpus/corpora index/indices
 vertex/vertices codex/codices vortex/vortices matrix/matrices appendix/appendices bureau/bureaux`
)

// plural turns a word in lower case.
func plural(word string) string {
	if _, many, ok := listed(word); ok {
		return many
	}
	stem, end := word[:len(word)-1], word[len(word)-1]
	switch {
	case endsIn(word, "sis xis"):
		return word[:len(word)-2] + "es"
	case endsIn(word, "ss us x z ch sh") && !endsIn(word, "aus eaux"):
		return word + "es"
	case end == 's', endsIn(word, "eaux"), end >= 0x80:
		return word
	case end == 'y' && stem != "" && (!endsIn(stem, "a e i o u") || endsIn(stem, "qu")):
		return stem + "ies"
	}
	return word + "s"
}

// singular turns a word in lower case.
func singular(word string) string {
	one, _, ok := listed(word)
	cut := func(n int) string { return word[:len(word)-n] }
	switch {
	case ok:
		return one
	case endsIn(word, "lyses theses gnoses choses opses"):
		return cut(2) + "is"
	case endsIn(word, "ies") && len(word) > 4: // ties, pies and lies lose an s
		return cut(3) + "y"
	case endsIn(word, "sses zzes tzes xes ches shes"), endsIn(word, "uses") && !endsIn(word, "auses ouses"):
		return cut(2)
	case endsIn(word, "ss us is") && !endsIn(word, "aus"), !endsIn(word, "s eaux"), word == "s":
		return word
	}
	return cut(1)
}

// listed returns both forms of a word that a list has in one of them.
func listed(word string) (one, many string, ok bool) {
	for same := range strings.FieldsSeq(uncountable) {
		if word == same {
			return word, word, true
		}
	}
	for one := range strings.FieldsSeq(regular) {
		if strings.TrimSuffix(word, "s") == one {
			return one, one + "s", true
		}
	}
	for pair := range strings.FieldsSeq(irregular) {
		one, many, _ := strings.Cut(strings.TrimPrefix(pair, "-"), "/")
		for _, form := range []string{one, many} {
			if stem, found := strings.CutSuffix(word, form); found && (stem == "" || pair[0] == '-') {
				return stem + one, stem + many, true
			}
		}
	}
	return "", "", false
}

// endsIn reports whether a word ends in one of some endings.
func endsIn(word, endings string) bool {
	for end := range strings.FieldsSeq(endings) {
		if strings.HasSuffix(word, end) {
			return true
		}
	}
	return false
}

// turnLast turns the last word of a name, such as Posts in blogPosts. What it puts in
// is in capitals if the name ends in one.
func turnLast(name string, turn func(string) string) string {
	upper := func(i int) bool { return name[i] >= 'A' && name[i] <= 'Z' }
	at := strings.LastIndexAny(name, " _-.") + 1 // where the last word begins
	for i := at + 1; i < len(name); i++ {
		if upper(i) && !upper(i-1) {
			at = i
		}
	}
	was := strings.ToLower(name[at:])
	if was == "" || len(was) != len(name)-at {
		return name
	}
	word, same := turn(was), 0 // same: the bytes that stay
	for same < min(len(was), len(word)) && was[same] == word[same] {
		same++
	}
	end := word[same:]
	if upper(len(name) - 1) {
		end = strings.ToUpper(end)
	}
	return name[:at+same] + end
}
