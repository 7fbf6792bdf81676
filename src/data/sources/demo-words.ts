// The word lists of the demo catalogue (demo.ts). A genre sets the tone, a strand the subject. Viewers have preferences for
// strands, so the words of a strand are the signal for content-based models.

/** The tone that all strands of a genre share. */
export interface Genre {
  readonly name: string;
  /** For titles: "The {Patient} Lantern". */
  readonly adjectives: readonly string[];
  /** The protagonist, with article: "a retired judge". */
  readonly heroes: readonly string[];
  /** What goes wrong, as a clause: "the witness changes her mind". */
  readonly turns: readonly string[];
  readonly strands: readonly Strand[];
}

/** A subject within a genre, for which a viewer can have a preference. */
export interface Strand {
  readonly name: string;
  /** Singular, with a plural in -s: "Lantern". */
  readonly things: readonly string[];
  /** Where, with preposition: "in a drowned village". */
  readonly places: readonly string[];
  /** The task, as a bare infinitive: "mend the tide clock". */
  readonly quests: readonly string[];
}

const list = (text: string): string[] => text.split("|").map((entry) => entry.trim());

function strand(name: string, things: string, places: string, quests: string): Strand {
  return { name, things: list(things), places: list(places), quests: list(quests) };
}

function genre(name: string, adjectives: string, heroes: string, turns: string, strands: Strand[]): Genre {
  return { name, adjectives: list(adjectives), heroes: list(heroes), turns: list(turns), strands };
}

export const genres: readonly Genre[] = [
  genre(
    "Comedy",
    "Awkward | Cheerful | Clumsy | Optimistic | Ridiculous | Sheepish | Unlikely | Wobbly",
    "a nervous optimist | an overconfident trainee | a bickering cousin | a polite impostor | the least organised man in town | an aunt with a plan",
    "everybody says yes at once | nobody has read the instructions | the rehearsal is mistaken for the real thing | a goat eats the only copy | the apology makes it worse",
    [
      strand(
        "weddings",
        "Bouquet | Buffet | Bridesmaid | Confetti Cannon | Guest List | Tiered Cake",
        "at a double-booked wedding hall | in a marquee on a slope | at the wrong reception",
        "seat four rival families at one table | rescue a collapsing wedding cake | find the missing bride before the toast | deliver a best man's speech to strangers",
      ),
      strand(
        "office",
        "Stapler | Spreadsheet | Swivel Chair | Photocopier | Memo | Lanyard",
        "in an open-plan office | on the forgotten ninth floor | during the quarterly review",
        "hide an unapproved office parrot from the manager | pass the audit without a single receipt | survive the team-building weekend | save the canteen from the consultants",
      ),
      strand(
        "holiday",
        "Suitcase | Deckchair | Phrasebook | Campervan | Snorkel | Postcard",
        "at a half-built resort | on a very small island | in the last free caravan",
        "reach the resort on three missed flights | share one hotel room with the in-laws | return a stolen pedal boat | win back the luggage from another tourist",
      ),
    ],
  ),
  genre(
    "Drama",
    "Broken | Distant | Faithful | Honest | Patient | Quiet | Unspoken | Wintry",
    "an estranged daughter | a widowed teacher | a proud father of three | a nurse on her last shift | a brother who no longer speaks | a retired judge",
    "an old letter is finally opened | the past asks for its share | forgiveness has a price | someone has to leave | the truth comes a year too late",
    [
      strand(
        "farm",
        "Orchard | Harvest | Barn | Furrow | Well | Plough",
        "on a failing family farm | through one dry summer | in a valley marked for flooding",
        "bring in the harvest alone | keep the orchard from the auctioneer | dig a well before the drought | divide the farm between the heirs",
      ),
      strand(
        "courtroom",
        "Verdict | Witness Stand | Appeal | Gavel | Statement | Jury Room",
        "in a provincial courtroom | on the eve of the verdict | behind the jury's door",
        "defend a man nobody believes | persuade eleven tired jurors | reopen the case that made a career | cross-examine a childhood friend",
      ),
      strand(
        "hospital",
        "Ward | Night Shift | Waiting Room | Bandage | Corridor | Heartbeat",
        "on an understaffed ward | in a hospital due to close | during one long night shift",
        "find a donor before morning | keep the children's ward open | tell a patient what the scan shows | run the clinic through the epidemic",
      ),
    ],
  ),
  genre(
    "Mystery",
    "Crooked | Hidden | Missing | Second | Silent | Unsigned | Veiled | Vanishing",
    "a short-sighted detective | a village librarian | an amateur sleuth with a cold | a suspicious vicar | a retired inspector | the only sober guest",
    "every alibi is true | the victim sends a postcard | the clue was planted by a friend | two people confess | the wrong clock was stopped",
    [
      strand(
        "country house",
        "Butler | Candlestick | Conservatory | Inheritance | Staircase | Decanter",
        "in a snowbound manor | at a weekend house party | behind the locked library door",
        "find who poisoned the colonel's sherry | explain the body in the conservatory | read the second will aloud | follow the footprints that stop at the sundial",
      ),
      strand(
        "museum",
        "Curator | Relic | Catalogue | Forgery | Pedestal | Mosaic",
        "in a museum after closing time | among the uncatalogued crates | at the unveiling",
        "trace a forged masterpiece to its painter | decipher the curator's last catalogue card | learn why the mummy is warm | restore a mosaic that accuses someone",
      ),
      strand(
        "railway",
        "Sleeper Carriage | Timetable | Signalman | Platform | Ticket | Tunnel",
        "aboard the night express | at a junction in the fog | between two stations",
        "find the passenger who never left the train | solve the murder before the next station | explain the empty sleeper carriage | decode a timetable with a thirteenth hour",
      ),
    ],
  ),
  genre(
    "Science Fiction",
    "Binary | Cold | Final | Infinite | Orbital | Recursive | Synthetic | Weightless",
    "a stubborn engineer | the last botanist | an obsolete android | a physicist on probation | a cartographer of empty space | a ship's cook",
    "the signal answers back | the computer refuses politely | time runs the other way | the crew is one person too many | the rescue came from the future",
    [
      strand(
        "starship",
        "Airlock | Engine | Starship | Navigator | Hull | Beacon",
        "aboard a generation starship | in orbit around a dying star | eleven light years from home",
        "restart the engine with borrowed parts | land a starship that was built in orbit | wake the sleeping crew in the right order | map a nebula that moves",
      ),
      strand(
        "robots",
        "Android | Circuit | Automaton | Prototype | Algorithm | Replica",
        "in a factory without people | in the robot quarter | at the final Turing examination",
        "teach an android to lie | repair a robot that believes it is human | argue for a machine in court | find the first prototype",
      ),
      strand(
        "time travel",
        "Paradox | Yesterday | Hourglass | Wormhole | Pendulum | Tomorrow",
        "on the same Tuesday | in a century that was cancelled | one hour before the accident",
        "undo a paradox of her own making | post a letter to last week | meet himself without shaking hands | close the wormhole behind the laundry",
      ),
    ],
  ),
  genre(
    "Romance",
    "Accidental | Borrowed | Gentle | Hopeful | Lingering | Secret | Starlit | Tender",
    "a shy pianist | a baker who gave up on love | an incurable letter writer | a florist with rules | the rival next door | a newly divorced optician",
    "the letters were swapped | the train leaves at noon | both have promised not to fall in love | an old flame returns | neither will say it first",
    [
      strand(
        "bakery",
        "Bakery | Croissant | Recipe | Cinnamon Roll | Teacup | Apron",
        "in a bakery under her flat | in a cafe with one free table | above the old patisserie",
        "save the bakery with one recipe | win a baking contest against her own heart | guess the regular customer's favourite cake | open a cafe with a former rival",
      ),
      strand(
        "seaside summer",
        "Summer | Sandcastle | Pier | Ferry | Seashell | Sunburn",
        "in a seaside town out of season | on the last ferry of summer | along the boardwalk",
        "spend one summer without making plans | find the owner of a message in a bottle | teach a city boy to sail | keep a holiday promise ten years late",
      ),
      strand(
        "letters",
        "Love Letter | Envelope | Postmark | Inkwell | Bookshop | Signature",
        "between two post offices | in a second-hand bookshop | across a whole winter of letters",
        "answer letters meant for someone else | find the poet behind the anonymous verses | deliver a love letter forty years late | write a proposal for his best friend",
      ),
    ],
  ),
  genre(
    "Adventure",
    "Bold | Distant | Forbidden | Golden | Reckless | Roaring | Savage | Uncharted",
    "a disgraced explorer | a stowaway with a map | a mountain guide | a botanist with a machete | a smuggler's twin | a pilot without a licence",
    "the map is upside down | the river changes course | the guide works for someone else | the bridge holds only one | the storm arrives early",
    [
      strand(
        "jungle",
        "Idol | Vine | Temple | Canopy | Expedition | Machete",
        "deep in an unmapped jungle | under a temple swallowed by vines | up a river of crocodiles",
        "return a golden idol to its temple | outrun a rival expedition through the jungle | find the orchid that blooms once | cross the rope bridge before the rains",
      ),
      strand(
        "pirates",
        "Galleon | Cutlass | Anchor | Doubloon | Parrot | Lagoon",
        "aboard a stolen galleon | off the coast of a coral reef | in a pirate harbour",
        "dig up a treasure that was never buried | win a galleon at cards | free the crew from the governor | sail through the hurricane for the doubloons",
      ),
      strand(
        "mountain",
        "Summit | Glacier | Avalanche | Ridge | Base Camp | Ice Axe",
        "on the north face of an unclimbed mountain | above the clouds | at the foot of the glacier",
        "reach the summit before the rival rope team | bring a stranded climber down alive | cross the glacier at night | find the camp lost in the avalanche",
      ),
    ],
  ),
  genre(
    "Family",
    "Brave | Curious | Giggling | Little | Lucky | Muddy | Sleepy | Wonderful",
    "a seven-year-old inventor | a grandmother with a secret | the noisiest of three sisters | a lonely boy | the new girl at school | a whole class of first-graders",
    "the grown-ups must not find out | it follows them to school | bedtime comes too soon | it turns out to be hungry | the whole town wants to help",
    [
      strand(
        "talking animals",
        "Hedgehog | Penguin | Otter | Badger | Duckling | Donkey",
        "on a farm where animals talk | in a burrow under the playground | at the zoo after dark",
        "bring a lost penguin home | help the hedgehog win the animals' race | hide a talking donkey from the zoo | teach a duckling to fly south",
      ),
      strand(
        "toys",
        "Toybox | Teddy | Marble | Music Box | Kite | Puppet",
        "in the attic toybox | in a toy shop at midnight | under the Christmas tree",
        "find the teddy lost on moving day | mend the puppet that came alive | rescue the toys from the jumble sale | fly a kite to the moon",
      ),
      strand(
        "school",
        "Classroom | Treehouse | Lunchbox | School Bell | Blackboard | Sleepover",
        "at a school with a secret classroom | in the best treehouse in town | over one long sleepover",
        "save the school play with no actors | build a treehouse for the whole class | find out what the headmistress keeps in the cellar | swap places with the teacher for a day",
      ),
    ],
  ),
  genre(
    "Heist",
    "Careful | Counterfeit | Foolproof | Gilded | Half-Million | Marked | Perfect | Smooth",
    "a safe-cracker with shaky hands | a retired con artist | the insurance inspector | a getaway driver who hates speeding | a crew of five strangers | a very polite thief",
    "the vault is already empty | one of the crew is police | the alarm was fixed last night | the mark has a plan too | the getaway car is towed",
    [
      strand(
        "casino",
        "Casino | Roulette Wheel | Ace | Chip | Croupier | Jackpot",
        "in a floating casino | at the high rollers' table | on the night of the big jackpot",
        "rob a casino during the poker final | fix the roulette wheel for one spin | walk out with a suitcase of chips | cheat the cheat at cards",
      ),
      strand(
        "bank",
        "Vault | Safe | Alarm | Blueprint | Crowbar | Deposit Box",
        "under the national bank | in a bank that opens at nine | during the guards' shift change",
        "tunnel into the vault from the shop next door | open a safe that has no door | return the money before the bank counts it | steal one deposit box and leave the rest",
      ),
      strand(
        "diamond",
        "Diamond | Necklace | Emerald | Display Case | Sapphire | Jeweller",
        "at a jewellers' convention | during the royal auction | on the forty-first floor",
        "swap the emerald for a copy at the auction | smuggle a diamond inside a wedding cake | steal a necklace from its own thief | cut the sapphire before the jeweller returns",
      ),
    ],
  ),
  genre(
    "Fantasy",
    "Ancient | Crimson | Enchanted | Moonlit | Nameless | Sleeping | Thorned | Twice-Born",
    "a reluctant apprentice | a princess who prefers maps | a blacksmith's daughter | the last of the river folk | a knight afraid of heights | a hedge witch",
    "the prophecy was misread | the spell wants something back | the crown chooses badly | the old gods are awake | the mirror tells the truth",
    [
      strand(
        "dragons",
        "Dragon | Ember | Talon | Wyrm | Dragon Egg | Scale",
        "in the mountains of the last dragon | under a sky of wings | in a dragon's hoard",
        "hatch a dragon egg in winter | bargain with a dragon for the valley | ride the ember wyrm to war | steal back a crown from the hoard",
      ),
      strand(
        "wizards",
        "Wizard | Spellbook | Wand | Familiar | Potion | Cauldron",
        "at an academy of failed wizards | in a tower with no stairs | behind the alchemist's shop",
        "unsay a spell spoken in anger | brew a potion against forgetting | pass the wizards' last examination | find a wand that has run away",
      ),
      strand(
        "fairy forest",
        "Thicket | Toadstool | Changeling | Unicorn | Acorn | Pixie",
        "in a forest that moves at night | at the court of the fairy queen | beyond the hawthorn hedge",
        "win back a brother from the fairy court | follow the unicorn to the forest's heart | break the changeling's curse | answer three riddles of the oak",
      ),
    ],
  ),
  genre(
    "Western",
    "Dusty | Lonesome | One-Eyed | Outlawed | Rusty | Stubborn | Sunbleached | Unbroken",
    "a sheriff two days from retirement | a travelling dentist | a widow with a rifle | an honest gambler | a drifter without a horse | a telegraph operator",
    "the posse rides the wrong way | the bounty is on his own brother | water runs out before whiskey | the stranger is a better shot | noon comes early",
    [
      strand(
        "cattle drive",
        "Cattle Drive | Lasso | Saddle | Longhorn | Trail | Branding Iron",
        "on the long trail north | among a thousand longhorns | at the river crossing",
        "drive a thousand cattle to the railhead | break the horse that broke everyone | cross the dry trail with one water barrel | win the ranch back from the baron",
      ),
      strand(
        "gunslingers",
        "Revolver | Duel | Saloon | Holster | Bullet | Sheriff",
        "in a saloon with swinging doors | on the main street at noon | in a town without a sheriff",
        "face the fastest revolver in the territory | keep the peace until the judge arrives | teach a farmer to win a duel | clean up the saloon without firing a bullet",
      ),
      strand(
        "gold rush",
        "Nugget | Prospector | Pickaxe | Claim | Gold Pan | Mineshaft",
        "in a boom town at the end of the gold rush | at the bottom of a flooded mineshaft | on a disputed claim",
        "defend a gold claim against the company | find the mother lode with a blind mule | pan one honest nugget before winter | lead the miners out of the cave-in",
      ),
    ],
  ),
  genre(
    "Sport",
    "Barefoot | Breathless | Last-Minute | Mighty | Tireless | Undefeated | Underrated | Winning",
    "a coach nobody wanted | a goalkeeper with stage fright | a former champion | the worst team in the league | a schoolgirl with a mean left hook | a postman who runs",
    "the star player is injured | the referee is her ex-husband | the final is on the wrong day | the sponsor pulls out | the rival offers a hand",
    [
      strand(
        "football",
        "Goalkeeper | Penalty | Whistle | Striker | Jersey | Halftime",
        "in the lowest league | on a pitch behind the gasworks | in the cup final",
        "win the cup with ten players | save the football club from relegation | score the penalty that she once missed | build a team from the fire brigade",
      ),
      strand(
        "boxing",
        "Boxing Glove | Ring | Knockout | Contender | Corner | Uppercut",
        "in a boxing gym over a laundry | in the twelfth round | at the county fair ring",
        "train a contender for one last fight | go twelve rounds against the champion | refuse a bribe before the title fight | step back into the ring at fifty",
      ),
      strand(
        "cycling",
        "Bicycle | Peloton | Handlebar | Breakaway | Yellow Cap | Tailwind",
        "on the steepest stage of the tour | in a breakaway with no team car | across the cobbles in the rain",
        "finish the tour on a borrowed bicycle | lead the peloton over the pass | win the stage for a fallen teammate | race the mail train to the coast",
      ),
    ],
  ),
  genre(
    "Musical",
    "Dancing | Electric | Humming | Jubilant | Offbeat | Singing | Swinging | Velvet",
    "a tone-deaf impresario | a singing bus conductor | a choir of pensioners | a chorus girl with a law degree | a trumpet player on the run | a songwriter without a piano",
    "the understudy goes on | the orchestra is on strike | the song belongs to someone else | the microphone was on | the curtain will not rise",
    [
      strand(
        "jazz",
        "Saxophone | Trumpet | Jazz Club | Quartet | Blue Note | Encore",
        "in a basement jazz club | on tour with a broken saxophone | at the last jam session",
        "keep the jazz club open until New Year | find the drummer of the lost quartet | record one perfect solo | play the trumpet again after the accident",
      ),
      strand(
        "ballroom",
        "Ballroom | Tango | Waltz | Dancing Shoe | Foxtrot | Chandelier",
        "in a condemned ballroom | at the tango championship | under the last chandelier",
        "win the tango contest with a rookie | teach the dockers to waltz | dance a foxtrot with a sworn enemy | save the ballroom from the bulldozers",
      ),
      strand(
        "rock band",
        "Guitar | Amplifier | Tour Bus | Drumstick | Rehearsal | Backstage Pass",
        "in a garage with bad wiring | on a tour bus without brakes | backstage at the festival",
        "reunite the band for one song | play the festival under a false name | write a hit before the tour bus is sold | steal back the guitar from a museum",
      ),
    ],
  ),
];

/** Given names for titles. */
export const names = list(
  "Ada | Amara | Anselm | Beatrix | Bruno | Cosima | Dario | Edith | Emeka | Esme | Farid | Florian | Greta | Hana | Hugo | Ines | Ivo | Jonas | Juno | Kofi | Leila | Linus | Lotte | Maeve | Malik | Marisol | Mateo | Nadia | Nils | Odile | Olga | Oskar | Petra | Quentin | Ramona | Rosa | Salome | Soren | Tamsin | Theo | Uma | Viggo | Wanda | Xenia | Yusuf | Zelda",
);

/** Fictional towns. */
export const towns = list(
  "Ambervale | Bellowmere | Briarholt | Candlewick Bay | Copperfell | Dunmarrow | Eastermoor | Fennimore Cross | Glasswater | Gullhaven | Harrowmint | Ivorydale | Juniper Sound | Kettlebridge | Larkspur Hollow | Lower Pelham Wick | Marrowgate | Mistlefield | Nettlecombe | Oldquay | Pepperstone | Quillhaven | Ravelstone | Saltmarrow | Seven Elms | Thistledown | Umberford | Vesper Point | Wexcombe | Willowmarch | Yarrowby | Zephyr Cove",
);

export const numbers = list("Two | Three | Four | Five | Six | Seven | Nine | Eleven | Thirteen | A Hundred");
