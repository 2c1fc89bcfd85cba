"""Varied English sentences out of a small grammar, written for this project; every English phoneme comes up often.

A sentence is a pattern filled with words; what is said makes little sense, how it sounds matters: plosives and
bilabials next to all vowels, clusters, long and short words, numbers, letters, questions, pauses at commas.
"""

import numpy as np

_VOCABULARY = """
noun: apple, baby, barber, basket, beach, bicycle, blanket, boat, bottle, bridge, brother, bubble, bus, button,
  cabbage, camera, candle, captain, carpet, chair, cheese, cherry, church, clock, cloud, coffee, cook, cousin, cup,
  daughter, doctor, dog, drum, eagle, engine, farmer, father, feather, fish, flower, fox, garden, gift, giraffe,
  glove, goat, guitar, hammer, harbour, hat, horse, house, ice, island, jacket, judge, jungle, kettle, kitchen, knife,
  ladder, lamp, leather, lemon, letter, library, lion, machine, map, market, measure, mirror, moon, mother, mountain,
  mouse, mouth, mushroom, music, neighbour, nose, nurse, ocean, onion, orange, oven, painter, paper, path, pearl,
  pepper, piano, picture, pig, pillow, pilot, pocket, poet, potato, puzzle, queen, rabbit, radio, river, robot, roof,
  rope, sailor, sandwich, scarf, school, shadow, sheep, ship, shirt, shoe, singer, sister, snow, soap, spoon,
  squirrel, stone, storm, strawberry, sugar, table, teacher, thumb, ticket, tiger, tooth, towel, tower, toy, train,
  treasure, tree, trumpet, umbrella, uncle, valley, vase, village, violin, voice, waiter, wallet, watch, water,
  weather, whale, wheel, whistle, window, wolf, woman, yacht, zebra, zoo
adjective: angry, big, black, blue, bold, brave, bright, broken, brown, busy, calm, careful, cheap, clever, cold,
  cosy, curious, dark, deep, dusty, early, easy, empty, famous, fast, foolish, fresh, funny, gentle, golden, good,
  green, happy, heavy, honest, huge, humble, jolly, late, lazy, light, little, lonely, long, loud, lovely, lucky,
  narrow, new, noisy, old, pale, patient, perfect, plain, playful, polite, poor, precious, proud, purple, quick,
  quiet, rare, red, rough, round, rusty, sharp, shiny, short, shy, silent, simple, slow, smooth, soft, sour, square,
  strange, strong, sweet, tall, thick, thin, tiny, warm, wet, white, wide, wild, wise, yellow, young
verb: admires, adopts, asks, avoids, believes, borrows, breaks, brings, brushes, builds, buys, calls, carries,
  catches, changes, chases, checks, chooses, cleans, closes, covers, describes, drops, enjoys, finds, fixes, follows,
  forgets, gives, greets, hears, helps, hides, holds, ignores, invites, judges, keeps, knows, leaves, likes, lifts,
  loses, loves, makes, measures, meets, misses, moves, needs, offers, opens, paints, pleases, points, praises,
  prepares, pushes, puts, reaches, remembers, repairs, saves, sees, sells, shakes, shows, shuts, smells, stops, takes,
  teaches, thanks, throws, touches, trusts, uses, visits, wants, warms, washes, watches, weighs, welcomes
name: Abby, Bob, Charlie, Daphne, Edith, Fiona, George, Hugh, Ivy, Jasper, Joyce, Kevin, Louise, Maeve, Matthew,
  Naomi, Oliver, Pamela, Quentin, Robin, Sophie, Thomas, Ursula, Vivian, Walter, Yvonne, Zoe, Phoebe, Mabel, Piper,
  Beth, Theo
place: above the bridge, across the valley, after the storm, at the harbour, before the movie, behind the church,
  below the roof, beside the oven, between two poplars, by the window, from the balcony, in the bathroom, inside a
  paper box, near the museum, next to the piano, on the beach, on top of the table, opposite the library, over the
  hill, past the bakery, through the fog, towards the village, under the umbrella, up the path, without a map, with
  both thumbs
time: at five o'clock, at midnight, before breakfast, every Thursday, in February, in the evening, last month, most
  weekends, next summer, now and then, on Monday, once a year, this afternoon, tomorrow, twice a week, yesterday,
  usually, soon, again
adverb: boldly, bravely, carefully, cheerfully, gently, gladly, happily, hopefully, loudly, maybe, mostly, naturally,
  obviously, perhaps, politely, possibly, probably, proudly, quickly, quietly, rarely, slowly, strangely, suddenly,
  surely, thoughtfully, usually, vaguely, warmly
plural: apples, babies, boots, bells, boxes, brooms, buttons, cups, chips, pipes, eggs, fables, forks, grapes, jewels,
  keys, leaves, maps, mops, moths, oars, peaches, pebbles, plums, poems, pumps, ribbons, shrubs, thumbs, tubs, vans,
  waves, wasps
number: zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fifteen, twenty,
  forty, fifty, sixty, eighty, ninety, hundred
letter: A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, X, Y, Z
command: bring, place, put, set, lay, move, push, drop, show, paint, wash, open, keep, give me, bin, pick up
pronoun: I, you, we, they
plain: admire, ask for, avoid, believe in, borrow, bring, buy, choose, enjoy, feel, find, follow, have, hear about,
  imagine, join, know, love, measure, mop up, need, observe, pay for, play with, remember, see, should fear, speak of,
  taste, think about, use, view, want, would save, prefer, may bump into
interjection: Oh, Well, Ah, Hm; maybe, Wow, Bye, Please, Thank you, Hello, Yes, No, Of course, Hooray, Good evening
"""
_WORDS = {
    kind: [" ".join(word.split()).replace(";", ",") for word in words.split(",")]
    for kind, words in (entry.split(":") for entry in _VOCABULARY.replace("\n  ", " ").strip().splitlines())
}

_PATTERNS = (
    "The {adjective} {noun} {verb} the {adjective} {noun} {place}.",
    "The {noun} {verb} a {adjective} {noun}, and the {noun} {verb} nothing.",
    "{name} {verb} my {noun} {time}.",
    "{name} and {name} {plain} {number} {adjective} {plural}.",
    "Does {name} think that the {noun} {verb} the {noun}?",
    "Why would the {adjective} {noun} be {place}?",
    "{pronoun} {plain} the {noun} {time}, but {pronoun} {plain} the {plural} {place}.",
    "{adverb}, the {noun} {verb} {number} {plural}.",
    "{command} {adjective} {plural} by {letter} {number} {time}.",
    "{command} {adjective} at {letter} {number} now!",
    "{interjection}! My {noun} {verb} your {noun}.",
    "{interjection}, {pronoun} {plain} {number} {plural} and a {adjective} {noun}.",
    "If {name} {verb} the {noun}, {pronoun} {plain} a {noun} {adverb}.",
    "It is {number} {number} {number}, {letter} {letter} {letter}.",
    "{place}, {name} {adverb} {verb} both {plural}.",
    "What a {adjective}, {adjective} {noun}!",
    "People say that {plural} make {plural} {adjective}.",
    "How many {plural} fit in a {adjective} {noun}?",
    "{time}, {pronoun} {plain} the {noun} of the {adjective} {noun} from {number} to {number}.",
    "There are {number} {plural} {place}, {name}.",
)


def sentence(rng: np.random.Generator) -> str:
    """One sentence; all sentences of one generator state are the same."""
    pattern = _PATTERNS[rng.integers(len(_PATTERNS))]
    filled = ""
    for piece in pattern.replace("}", "{").split("{"):
        words = _WORDS.get(piece)
        filled += piece if words is None else words[rng.integers(len(words))]
    return filled[0].upper() + filled[1:]
