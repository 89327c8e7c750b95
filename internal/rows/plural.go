package rows

import (
	"regexp"
	"strings"
	"sync"
)

// Plural returns the plural of an English word: "categories" for "category", "people"
// for "person". A word that is a plural stays one.
func Plural(word string) string {
	r := english()
	return r.turn(word, r.plurals, r.singulars, r.toPlural)
}

// Singular returns the singular of an English word: "child" for "children", "status"
// for "statuses". A word that is a singular stays one.
func Singular(word string) string {
	r := english()
	return r.turn(word, r.singulars, r.plurals, r.toSingular)
}

// ForeignKey returns the name of the member by which rows name a row of that
// collection: postId for posts.
func ForeignKey(collection string) string { return Singular(collection) + "Id" }

// A wordRule replaces the end of a word. The last rule that matches counts.
type wordRule struct {
	end *regexp.Regexp
	by  string
}

// wordRules are the rules of pluralize 8.0.0, by which json-server finds the key of a
// relation. Their license:
//
// Copyright (c) 2013 Blake Embrey (hello@blakeembrey.com)
//
// Permission is hereby granted, free of charge, to any person obtaining a copy of
// this software and associated documentation files (the "Software"), to deal in the
// Software without restriction, including without limitation the rights to use, copy,
// modify, merge, publish, distribute, sublicense, and/or sell copies of the Software,
// and to permit persons to whom the Software is furnished to do so, subject to the
// following conditions: The above copyright notice and this permission notice shall
// be included in all copies or substantial portions of the Software. THE SOFTWARE IS
// PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
// NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE
// AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE
// FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT
// OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR
// OTHER DEALINGS IN THE SOFTWARE.
type wordRules struct {
	plurals, singulars   map[string]string // of irregular words: to the plural, to the singular
	toPlural, toSingular []wordRule
	uncountable          map[string]bool
}

// english makes the rules when they are needed: most servers have no relations.
var english = sync.OnceValue(func() *wordRules {
	r := &wordRules{plurals: map[string]string{}, singulars: map[string]string{}, uncountable: map[string]bool{}}
	for _, word := range strings.Fields(uncountableWords) {
		r.uncountable[word] = true
	}
	for _, pair := range strings.Fields(strings.ToLower(irregularWords)) {
		singular, plural, _ := strings.Cut(pair, "/")
		r.plurals[singular], r.singulars[plural] = plural, singular
	}
	compile := func(rules []string) (compiled []wordRule) {
		for _, rule := range append(rules, uncountableEnds...) {
			end, by, _ := strings.Cut(rule, " → ")
			compiled = append(compiled, wordRule{regexp.MustCompile(`(?i)` + end + `$`), by})
		}
		return compiled
	}
	r.toPlural, r.toSingular = compile(pluralEnds), compile(singularEnds)
	return r
})

// turn puts a word into the form that irregular and rules lead to. Words that are in
// this form already are the values of irregular, and the keys of its reverse.
func (r *wordRules) turn(word string, irregular, reverse map[string]string, rules []wordRule) string {
	lower := strings.ToLower(word)
	switch {
	case reverse[lower] != "":
		return likeCase(word, lower)
	case irregular[lower] != "":
		return likeCase(word, irregular[lower])
	case r.uncountable[lower], word == "":
		return word
	}
	for i := len(rules) - 1; i >= 0; i-- {
		at := rules[i].end.FindStringSubmatchIndex(word)
		if at == nil {
			continue
		}
		end := string(rules[i].end.ExpandString(nil, rules[i].by, word, at))
		like := word[at[0]:at[1]]
		if like == "" { // the rule appends
			like = word[at[0]-1 : at[0]]
		}
		return word[:at[0]] + likeCase(like, end)
	}
	return word
}

// likeCase writes a word as another is written: lower, UPPER or Title.
func likeCase(like, word string) string {
	switch {
	case like == word:
		return word
	case like == strings.ToLower(like):
		return strings.ToLower(word)
	case like == strings.ToUpper(like):
		return strings.ToUpper(word)
	case word != "" && like[:1] == strings.ToUpper(like[:1]):
		return strings.ToUpper(word[:1]) + strings.ToLower(word[1:])
	}
	return strings.ToLower(word)
}

// uncountableWords are their own plurals.
const uncountableWords = `
adulthood advice agenda aid aircraft alcohol ammo analytics anime athletics audio bison blood bream
buffalo butter carp cash chassis chess clothing cod commerce cooperation corps debris diabetes
digestion elk energy equipment excretion expertise firmware flounder fun gallows garbage graffiti
hardware headquarters health herpes highjinks homework housework information jeans justice kudos
labour literature machinery mackerel mail media mews moose music mud manga news only personnel pike
plankton pliers police pollution premises rain research rice salmon scissors series sewage shambles
shrimp software species staff swine tennis traffic transportation trout tuna wealth welfare whiting
wildebeest wildlife you`

// irregularWords are singulars with their plurals.
const irregularWords = `
i/we me/us he/they she/they them/them myself/ourselves yourself/yourselves itself/themselves
herself/themselves himself/themselves themself/themselves is/are was/were has/have this/these
that/those echo/echoes dingo/dingoes volcano/volcanoes tornado/tornadoes torpedo/torpedoes
genus/genera viscus/viscera stigma/stigmata stoma/stomata dogma/dogmata lemma/lemmata
schema/schemata anathema/anathemata ox/oxen axe/axes die/dice yes/yeses foot/feet eave/eaves
goose/geese tooth/teeth quiz/quizzes human/humans proof/proofs carve/carves valve/valves
looey/looies thief/thieves groove/grooves pickaxe/pickaxes passerby/passersby`

// Each rule is the end of a word, and what takes its place.
var (
	pluralEnds = []string{
		`s? → s`,
		`[^\x00-\x7F] → ${0}`,
		`([^aeiou]ese) → ${1}`,
		`(ax|test)is → ${1}es`,
		`(alias|[^aou]us|t[lm]as|gas|ris) → ${1}es`,
		`(e[mn]u)s? → ${1}s`,
		`([^l]ias|[aeiou]las|[ejzr]as|[iu]am) → ${1}`,
		`(alumn|syllab|vir|radi|nucle|fung|cact|stimul|termin|bacill|foc|uter|loc|strat)(?:us|i) → ${1}i`,
		`(alumn|alg|vertebr)(?:a|ae) → ${1}ae`,
		`(seraph|cherub)(?:im)? → ${1}im`,
		`(her|at|gr)o → ${1}oes`,
		`(agend|addend|millenni|dat|extrem|bacteri|desiderat|strat|candelabr|errat|ov|symposi|curricul|automat|quor)(?:a|um) → ${1}a`,
		`(apheli|hyperbat|periheli|asyndet|noumen|phenomen|criteri|organ|prolegomen|hedr|automat)(?:a|on) → ${1}a`,
		`sis → ses`,
		`(?:(kni|wi|li)fe|(ar|l|ea|eo|oa|hoo)f) → ${1}${2}ves`,
		`([^aeiouy]|qu)y → ${1}ies`,
		`([^ch][ieo][ln])ey → ${1}ies`,
		`(x|ch|ss|sh|zz) → ${1}es`,
		`(matr|cod|mur|sil|vert|ind|append)(?:ix|ex) → ${1}ices`,
		`\b((?:tit)?m|l)(?:ice|ouse) → ${1}ice`,
		`(pe)(?:rson|ople) → ${1}ople`,
		`(child)(?:ren)? → ${1}ren`,
		`eaux → ${0}`,
		`m[ae]n → men`,
		`^thou → you`,
	}
	singularEnds = []string{
		`s → `,
		`(ss) → ${1}`,
		`(wi|kni|(?:after|half|high|low|mid|non|night|[^\w]|^)li)ves → ${1}fe`,
		`(ar|(?:wo|[ae])l|[eo][ao])ves → ${1}f`,
		`ies → y`,
		`\b([pl]|zomb|(?:neck|cross)?t|coll|faer|food|gen|goon|group|lass|talk|goal|cut)ies → ${1}ie`,
		`\b(mon|smil)ies → ${1}ey`,
		`\b((?:tit)?m|l)ice → ${1}ouse`,
		`(seraph|cherub)im → ${1}`,
		`(x|ch|ss|sh|zz|tto|go|cho|alias|[^aou]us|t[lm]as|gas|(?:her|at|gr)o|[aeiou]ris)(?:es)? → ${1}`,
		`(analy|diagno|parenthe|progno|synop|the|empha|cri|ne)(?:sis|ses) → ${1}sis`,
		`(movie|twelve|abuse|e[mn]u)s → ${1}`,
		`(test)(?:is|es) → ${1}is`,
		`(alumn|syllab|vir|radi|nucle|fung|cact|stimul|termin|bacill|foc|uter|loc|strat)(?:us|i) → ${1}us`,
		`(agend|addend|millenni|dat|extrem|bacteri|desiderat|strat|candelabr|errat|ov|symposi|curricul|quor)a → ${1}um`,
		`(apheli|hyperbat|periheli|asyndet|noumen|phenomen|criteri|organ|prolegomen|hedr|automat)a → ${1}on`,
		`(alumn|alg|vertebr)ae → ${1}a`,
		`(cod|mur|sil|vert|ind)ices → ${1}ex`,
		`(matr|append)ices → ${1}ix`,
		`(pe)(rson|ople) → ${1}rson`,
		`(child)ren → ${1}`,
		`(eau)x? → ${1}`,
		`men → man`,
	}
	uncountableEnds = []string{
		`pok[eé]mon → ${0}`,
		`[^aeiou]ese → ${0}`,
		`deer → ${0}`,
		`fish → ${0}`,
		`measles → ${0}`,
		`o[iu]s → ${0}`,
		`pox → ${0}`,
		`sheep → ${0}`,
	}
)
