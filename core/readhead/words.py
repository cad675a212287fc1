"""The English word lists that Readhead ships.

Each constant is a set of lower-case words, with the straight apostrophe in contractions ("don't", "it's"). Features
such as ``is_article`` and ``is_verb`` look words up here. The lists were written by hand for general English prose;
they were not counted from any corpus that Readhead scores on. A word may stand in several lists: "her" is an object
pronoun and a possessive, "light" a noun and an adjective. Only the three frequency bands ``MOST_COMMON``, ``COMMON``
and ``FAMILIAR`` share no word with one another; a word outside all three counts as rare.
"""

# The words stay in plain text, to be read and edited as prose is.
# ruff: noqa: SIM905

from __future__ import annotations

from typing import Final

ARTICLES: Final[frozenset[str]] = frozenset("a an the".split())
"""The definite and the indefinite article."""

DETERMINERS: Final[frozenset[str]] = frozenset(
    """
    this that these those each every some any no all both half either neither much many more most few fewer fewest
    little less least several enough another other such what which whatever whichever certain various own same
    """.split()
)
"""Words that open a noun phrase, without the articles and the possessives."""

SUBJECT_PRONOUNS: Final[frozenset[str]] = frozenset(
    """
    i you he she it we they i'm i've i'll i'd you're you've you'll you'd he's he'll he'd she's she'll she'd it's
    it'll it'd we're we've we'll we'd they're they've they'll they'd ye thou
    """.split()
)
"""Personal pronouns as subjects, alone and run together with an auxiliary."""

OBJECT_PRONOUNS: Final[frozenset[str]] = frozenset("me you him her it us them thee".split())
"""Personal pronouns as objects."""

POSSESSIVES: Final[frozenset[str]] = frozenset(
    """
    my your his her its our their mine yours hers ours theirs whose thy thine
    """.split()
)
"""Possessive determiners and possessive pronouns."""

REFLEXIVES: Final[frozenset[str]] = frozenset(
    """
    myself yourself himself herself itself oneself ourselves yourselves themselves themself
    """.split()
)
"""Pronouns in -self and -selves."""

OTHER_PRONOUNS: Final[frozenset[str]] = frozenset(
    """
    everyone everybody everything someone somebody something anyone anybody anything nobody nothing none one ones
    another other others each either neither both all some any many few several most who whom whose which what that
    whoever whomever whatever whichever this these those such everyone's everybody's everything's someone's
    somebody's something's anyone's anybody's anything's nobody's nothing's who's who'd who'll who've that's that'd
    that'll what's
    """.split()
)
"""Indefinite, relative, interrogative, demonstrative and reciprocal pronouns."""

PREPOSITIONS: Final[frozenset[str]] = frozenset(
    """
    of in to for with on at from by about as into like through after over between out against during without before
    under around among amongst behind beyond beside besides below beneath above across along alongside amid aboard
    off onto upon near next opposite outside inside past per since than till until toward towards underneath unlike
    up down via within throughout despite except regarding concerning considering including following round versus
    """.split()
)
"""Simple prepositions."""

CONJUNCTIONS: Final[frozenset[str]] = frozenset(
    """
    and or but nor so yet for if because although though while whilst whereas when whenever where wherever since
    unless until till as than that whether after before once lest provided providing both either neither
    """.split()
)
"""Coordinating and subordinating conjunctions."""

AUXILIARIES: Final[frozenset[str]] = frozenset(
    """
    be am is are was were been being have has had having do does did doing done can could may might must shall
    should will would ought cannot isn't aren't wasn't weren't ain't haven't hasn't hadn't don't doesn't didn't
    can't couldn't mayn't mightn't mustn't shan't shouldn't won't wouldn't oughtn't needn't daren't could've
    might've must've should've would've
    """.split()
)
"""Forms of be, have and do, and the modals, with their contractions in n't and 've."""

SPEECH_VERBS: Final[frozenset[str]] = frozenset(
    """
    add added admitted agreed announce announced answer answered answers ask asked asking asks beg begged call
    called calls complain complained continued cried cries cry declare declared exclaim exclaimed explain explained
    explains inquire inquired insist insisted murmur murmured mutter muttered promise promised remark remarked
    repeat repeated replied replies reply respond responded said say saying says scream screamed shout shouted
    shouts sighed speak speaks spoke suggest suggested tell tells told warn warned whisper whispered whispers yell
    yelled
    """.split()
)
"""Verbs that report speech, mostly in the forms that stand beside a quotation."""

NEGATIONS: Final[frozenset[str]] = frozenset(
    """
    no not never none nobody nothing nowhere neither nor nope nay cannot without hardly scarcely barely isn't aren't
    wasn't weren't ain't haven't hasn't hadn't don't doesn't didn't can't couldn't mayn't mightn't mustn't shan't
    shouldn't won't wouldn't oughtn't needn't daren't
    """.split()
)
"""Words that negate or nearly negate (hardly, barely), with the contractions in n't."""

QUESTION_WORDS: Final[frozenset[str]] = frozenset(
    """
    who whom whose what which when where why how whoever whatever whichever whenever wherever however who's what's
    when's where's why's how's who'd what'd where'd how'd who'll what'll who're what're who've
    """.split()
)
"""Words that open a question or an indirect question."""

NUMBER_WORDS: Final[frozenset[str]] = frozenset(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands
    million millions billion billions trillion dozen dozens score first second third fourth fifth sixth seventh
    eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth
    twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth hundredth thousandth millionth
    once twice thrice half quarter single double triple
    """.split()
)
"""Cardinals, ordinals and other number words, written out."""

VERBS: Final[frozenset[str]] = frozenset(
    """
    accept accepted accepting accepts add added adding adds admit admits admitted admitting agree agreed agreeing
    agrees allow allowed allowing allows answer answered answering answers appear appeared appearing appears arrive
    arrived arrives arriving ask asked asking asks ate became become becomes becoming began begin beginning begins
    begun believe believed believes believing bend bending bends bent bit bite bites biting bitten blew blow blowing
    blown blows bought break breaking breaks bring bringing brings broke broken brought build building builds built
    buy buying buys call called calling calls came carried carries carry carrying catch catches catching caught
    change changed changes changing choose chooses choosing chose chosen clean cleaned cleaning cleans climb climbed
    climbing climbs close closed closes closing come comes coming consider considered considering considers continue
    continued continues continuing cook cooked cooking cooks create created creates creating cried cries cry crying
    cut cuts cutting dance danced dances dancing decide decided decides deciding die died dies dig digging digs
    discover discovered discovering discovers drank draw drawing drawn draws drew drink drinking drinks drive driven
    drives driving drop dropped dropping drops drove drunk dug dying eat eaten eating eats end ended ending ends
    enjoy enjoyed enjoying enjoys enter entered entering enters expect expected expecting expects explain explained
    explaining explains explore explored explores exploring fall fallen falling falls fed feed feeding feeds feel
    feeling feels fell felt fight fighting fights find finding finds finish finished finishes finishing flew flies
    flown fly flying follow followed following follows forgave forget forgets forgetting forgive forgives forgot
    forgotten fought found gather gathered gathering gathers gave get gets getting give given gives giving go goes
    going gone got gotten grew grow growing grown grows hang hanging hangs happen happened happening happens hate
    hated hates hating hear heard hearing hears held help helped helping helps hid hidden hide hides hiding hit hits
    hitting hold holding holds hope hoped hopes hoping hug hugged hugging hugs hung hurried hurries hurry hurrying
    hurt hurting hurts imagine imagined imagines imagining include included includes including invite invited
    invites inviting join joined joining joins jump jumped jumping jumps keep keeping keeps kept kick kicked kicking
    kicks kill killed killing kills kiss kissed kisses kissing knew knock knocked knocking knocks know knowing known
    knows laid lain laugh laughed laughing laughs lay laying lays lead leading leads learn learned learning learns
    leave leaves leaving led left let let's lets letting lie lies like liked likes liking listen listened listening
    listens live lived lives living look looked looking looks lose loses losing lost love loved loves loving lying
    made make makes making married marries marry marrying mean meaning means meant meet meeting meets met miss
    missed misses missing move moved moves moving need needed needing needs nod nodded nodding nods notice noticed
    notices noticing open opened opening opens paid paint painted painting paints pay paying pays pick picked
    picking picks play played playing plays point pointed pointing points prepare prepared prepares preparing
    promise promised promises promising protect protected protecting protects pull pulled pulling pulls push pushed
    pushes pushing put puts putting ran reach reached reaches reaching read reading reads realize realized realizes
    realizing receive received receives receiving remain remained remaining remains remember remembered remembering
    remembers replied replies reply replying return returned returning returns ridden ride rides riding rise risen
    rises rising rode rose run running runs rush rushed rushes rushing said sang sat save saved saves saving saw say
    saying says search searched searches searching see seeing seek seeking seeks seem seemed seeming seems seen sees
    sell selling sells send sending sends sent serve served serves serving set sets setting shake shaken shakes
    shaking share shared shares sharing shine shines shining shone shook shout shouted shouting shouts show showed
    showing shows shut shuts shutting sing singing sings sit sits sitting sleep sleeping sleeps slept smile smiled
    smiles smiling sold sought speak speaking speaks spend spending spends spent spoke spoken stand standing stands
    stare stared stares staring start started starting starts stay stayed staying stays steal stealing steals stick
    sticking sticks stole stolen stood stop stopped stopping stops strike strikes striking struck stuck suggest
    suggested suggesting suggests sung swam swim swimming swims swum take taken takes taking talk talked talking
    talks taught teach teaches teaching tear tearing tears tell telling tells thank thanked thanking thanks think
    thinking thinks thought threw throw throwing thrown throws told took tore torn touch touched touches touching
    travel traveled traveling travels tried tries try trying turn turned turning turns understand understanding
    understands understood use used uses using visit visited visiting visits wait waited waiting waits wake wakes
    waking walk walked walking walks want wanted wanting wants wash washed washes washing watch watched watches
    watching wear wearing wears went whisper whispered whispering whispers win winning wins wish wished wishes
    wishing woke woken won wonder wondered wondering wonders wore work worked working works worn worried worries
    worry worrying write writes writing written wrote
    """.split()
)
"""Common verbs in their usual forms, without the auxiliaries."""

NOUNS: Final[frozenset[str]] = frozenset(
    """
    action actions actor actors afternoon age ages air anger animal animals answer answers ant ants apple apples
    area areas arm arms arrow arrows art artist artists aunt aunts babies baby back bag bags ball balls banana
    bananas bank banks basket baskets battle battles beach beaches bean beans bear bears bed beds bee bees bike
    bikes bird birds birth birthday birthdays bit bits blanket blankets blood boat boats bodies body bone bones book
    books boot boots bottle bottles bottom bowl bowls box boxes boy boys bread breakfast breakfasts bridge bridges
    brother brothers bus buses business businesses butter butterflies butterfly button buttons cake cakes candle
    candles captain captains car carrot carrots cars case cases castle castles cat cats cause causes cave caves cent
    center centers cents centuries century chair chairs chance chances change changes cheese child children choice
    choices church churches circle circles cities city clock clocks cloud clouds club clubs coat coats coffee color
    colors communities community companies company computer computers cookie cookies corner corners countries
    country court courts cousin cousins cow cows creature creatures crowd crowds crown crowns cup cups dad daddy
    dance dances daughter daughters day days death deer desert deserts dinner dinners dirt doctor doctors dog dogs
    doll dollar dollars dolls door doors dragon dragons dream dreams dress dresses driver drivers duck ducks dust
    ear ears earth edge edges effect effects effort efforts egg eggs elephant elephants end ends enemies enemy
    engine engines evening event events example examples eye eyes face faces fact facts fairies fairy families
    family farm farmer farmers farms father fathers fear feeling feelings feet fence fences field fields fight
    fights figure figures finger fingers fire fireman firemen fires fish floor floors flower flowers food foot force
    forces forest forests form forms friend friends frog frogs fun game games garden gardens gate gates geese
    gentleman gentlemen ghost ghosts giant giants gift gifts girl girls glass glove gloves gold goose government
    governments grandfather grandfathers grandma grandmother grandmothers grandpa grass group groups guest guests
    gun guns hair half halves hammer hammers hand hands hat hats head heads health heart hearts hen hens hero heroes
    hill hills history hole holes home homes honey horse horses hospital hospitals hotel hotels hour hours house
    houses husband husbands ice idea ideas information insect insects iron island islands issue issues job jobs
    journey journeys joy judge judges juice key keys kid kids kind kinds king kings kitchen kitchens kitten kittens
    knee knees knife knives ladies lady lake lakes lamp lamps language languages law laws leader leaders leaf leaves
    leg legs letter letters level levels libraries library life light lights line lines lion lions lives loaf loaves
    lot lots love luck lunch lunches machine machines man market markets meal meals meat member members men mice
    middle midnight mile miles milk minute minutes mistake mistakes model models mom moment moments mommy money
    monkey monkeys monster monsters month months moon moons morning mornings mother mothers mountain mountains mouse
    mouth mouths movie movies mud mum museum museums music nail nails name names nation nations neck necks neighbor
    neighbors nest nests newspaper newspapers night nights noon nose noses number numbers nurse nurses nut nuts
    ocean oceans office offices orange oranges order orders owner owners page pages pair pairs paper papers parent
    parents park parks part parties parts party path paths peace pen pencil pencils pens people person phone phones
    picture pictures pie piece pieces pies pig pigs pile piles pillow pillows place places plan plane planes plans
    plate plates player players pocket pockets point points policeman policemen potato potatoes pound pounds power
    powers present presents president presidents price prices prince princes princess princesses prize prizes
    problem problems program programs puppies puppy queen queens question questions rabbit rabbits race races rain
    reason reasons record records report reports result results rice ring rings river rivers road roads rock rocks
    roof roofs room rooms rope ropes row rows rule rules sailor sailors salt sand sandwich sandwiches school schools
    sea seas season seasons second seconds secret secrets seed seeds sense senses shadow shadows shape shapes sheep
    shelf shelves ship ships shirt shirts shoe shoes shop shops shoulder shoulders side sides silver singer singers
    sister sisters skies skin sky smile smiles smoke snake snakes snow sock socks soldier soldiers son song songs
    sons soup soups spider spiders spoon spoons spring springs square squares stair stairs star stars state states
    station stations stone stones store stores stories storm storms story stranger strangers street streets student
    students studies study sugar summer summers sun suns surprise surprises sword swords system systems table tables
    tea teacher teachers team teams tear tears teeth thief thieves thing things thought thoughts tiger tigers time
    times today tomato tomatoes tomorrow tool tools tooth top tower towers town towns toy toys track tracks trail
    trails train trains tree trees trip trips truck trucks truth type types uncle uncles value values view views
    village villages visit visits voice voices wall walls war wars water way ways weather week weeks wheel wheels
    wife wind window windows winds winter winters witch witches wives wolf wolves woman women wood word words worker
    workers world worlds writer writers year years yesterday
    """.split()
)
"""Common nouns, singular and plural."""

ADJECTIVES: Final[frozenset[str]] = frozenset(
    """
    able afraid alive alone amazing american ancient angry available awful bad beautiful best better big bigger
    biggest bitter black blue bored boring brave bright brighter brightest broken brown busy calm careful careless
    central certain cheap clean clear clever closed cloudy cold colder coldest colorful common complete cool correct
    cruel curious current cute dangerous dark darker dead dear deep deeper delicious different difficult dirty
    double dry dull earlier early easier easiest eastern easy economic elder empty english enormous entire evil
    excellent excited exciting expensive fair fake false famous fantastic fast faster fastest fat favorite final
    flat fluffy foolish free french fresh friendly full funny future fuzzy generous gentle german giant glad golden
    good grateful gray great greater greatest green grey handsome happier happiest happy hard harder hardest healthy
    heavier heavy helpful hidden high higher highest holy honest horrible hot hotter hottest huge human hungry hurt
    ill important impossible interested interesting international jealous kind kinder large larger largest last late
    later latest lazy legal light lighter likely little local lonely long longer longest lost loud lovely low lower
    lowest loyal lucky mad magic magical main major mean medical mental messy military minor modern muddy narrow
    national natural neat necessary nervous new newer newest next nice nicer noble noisy normal northern odd old
    older oldest open orange other past peaceful perfect physical pink polite political poor poorer popular possible
    prettier prettiest pretty previous private proud public purple quick quiet rainy rare ready real recent red rich
    richer right rotten rough round royal rude sad sadder safe salty same scared secret selfish serious shallow
    sharp shiny short shorter shortest shy sick silent silly silver similar simple single sleepy slim slow slower
    small smaller smallest smart smooth snowy social soft softer sour southern special spicy square sticky strange
    strict strong stronger strongest stupid sudden sunny sure surprised sweet tall taller tallest tame tasty
    terrible thankful thick thin thirsty tiny tired true ugly unable unfair unlikely unlucky useful useless warm
    warmer weak weird western wet white whole wide wild windy wise wonderful wooden worried worse worst wrong yellow
    young younger youngest
    """.split()
)
"""Common adjectives, with the everyday comparatives and superlatives."""

ADVERBS: Final[frozenset[str]] = frozenset(
    """
    abroad absolutely actually again ago ahead almost alone already also altogether always angrily anyway anywhere
    apart away back backward badly barely besides best better bravely carefully certainly clearly completely
    currently deeply definitely down downstairs early easily else enough entirely especially even eventually ever
    everywhere exactly extremely far fast finally first forever formerly fortunately forward fully generally gently
    greatly happily hard hardly hence here high highly home however immediately in indeed indoors inside instead
    just kindly last late lately later least left less long loudly low luckily mainly maybe meanwhile merely more
    moreover most mostly much near nearby nearly never nevertheless next nicely nonetheless normally now nowhere off
    often once only originally otherwise out outdoors outside over particularly partly perfectly perhaps possibly
    probably proudly quickly quietly quite rarely rather really recently right sadly scarcely seldom simply slowly
    so softly somehow sometimes somewhere soon still straight suddenly surely then there therefore thus today
    together tomorrow tonight too totally truly twice unfortunately up upstairs usually very well yesterday yet
    """.split()
)
"""Common adverbs of time, place, manner, degree and stance."""

NAMES: Final[frozenset[str]] = frozenset(
    """
    aaron abby abigail abraham ada adam adele adrian agatha agnes ahmed aisha akira aladdin alan albert alejandro
    alex alexander alfred ali alice alison amanda amelia amina amir amy ana anastasia andrei andrew andy angela
    angus anna anne annie anthony antonio archie arjun arnold arthur audrey ayesha barbara barnaby barry beatrice
    becky bella ben benjamin benny bernard bertha bertie bessie beth betsy betty billy blanche bob bobby boris
    brenda brian bridget bruce bruno callum cameron carl carlos carmen caroline catherine cecil cecilia celia
    charles charlie charlotte chen chester chloe chris christina christine christopher cinderella claire clara
    clarence claude claudia clifford clive colin connie constance cora cordelia craig cynthia cyril daisy dan daniel
    danny daphne dave davey david deborah della dennis derek desmond diana diane diego dimitri donald donna dora
    doris dorothea dorothy douglas dylan eddie edgar edith edmund edna edward edwin eleanor elena elias elijah
    elinor eliza elizabeth ella ellen ellie elliot elsa elsie emily emma emmanuel eric erica ernest ethan ethel
    eugene eva evan eve evelyn ezra fatima felix fernando fiona florence frances francesca francis frank franklin
    fred freddie freddy frederick gabriel gary gavin gemma geoffrey george georgie gerald gertrude gilbert gina
    giovanni gloria gordon graham greg gregory greta gretel gus gwen hannah hans hansel harold harriet harry harvey
    hassan hazel heather hector heidi helen helena henrietta henry herbert herman hilda hiroshi holly homer horace
    howard hugh hugo humphrey ian ibrahim ida igor ingrid irene iris isaac isabel isabella isabelle ivan ivy jack
    jacob jake jamal james jane jason jasper javier jeff jeffrey jennifer jenny jeremy jerry jess jesse jessica
    jessie jill jim jimmy jo joan joanna joe joel joey john johnny jonah jonathan jose joseph josephine josh joshua
    joyce juan juana judith judy julia julian julie juliet julius justin karen kate katherine kathleen kathy katie
    katy keith kelly kenji kenny kevin khalid kim kirsten kitty klaus kofi kyle lara larry lars laura lauren laurie
    lawrence layla leah lei lena lenny leo leon leonard leslie lewis liam libby lily linda lisa liza lizzie lola
    lorenzo louis louisa louise lucas lucy luigi luis luke lulu lydia lynn mabel madeline maggie malcolm marcus
    margaret margery maria marian marianne marie marilla marina mario marion marjorie marlene martha martin mary
    matilda matt matthew maude maurice max meg mei melanie melissa mia michael michelle miguel mike mikey mikhail
    mildred millie milo mimi minnie miranda miriam mitch mohammed molly mona monica morgan muhammad muriel nadia
    nancy naomi natalia natalie natasha nathan ned neil nellie nelly nicholas nick nicky nicole nigel nina noah noel
    nora norman olga oliver olivia omar oscar otto owen pablo pam pamela patricia patrick patty paul pauline pedro
    peggy percy perry peter phil philip phoebe phyllis pierre pinocchio pip polly priscilla priya quentin rachel raj
    ralph rapunzel ravi raymond rebecca reginald rhoda richard ricky rita robert roberta robin rodney roger roland
    ronald ronnie rosa rosalind rosemary rosie roxy roy rudy rupert ruth ryan sabrina sally sam samantha sammy
    samuel sandra sanjay sara sarah scott sean sebastian sergei sharon sheila shirley sidney silas simon sofia sonia
    sophia sophie spencer stanley stella stephanie stephen steve steven stuart sue susan susanna susie suzy sven
    sybil sylvia tariq ted teresa terry tess tessa thelma theo theodore theresa thomas tim timmy timothy tina toby
    todd tom tommy tony tracy trevor ursula valerie vanessa vera vernon veronica vicky victor victoria vincent
    violet vivian walter wanda warren wendy wesley wilbur wilfred wilhelmina william willie winifred winnie winston
    yasmin yuki yusuf yvonne zachary zelda zoe zoey
    """.split()
)
"""First names met in English-language prose, without those that are mostly ordinary words."""

MOST_COMMON: Final[frozenset[str]] = frozenset(
    """
    a about all an and any are as at be been but by can come could did do don't each for from get go had has have he
    her him his how i if in into is it it's its just know like look made make many may me more my no not now of on
    one only or other out over people said see she so some take than that the their them then there these they this
    time to two up very was way we were what when which who will with would you your
    """.split()
)
"""About the hundred most frequent words of general English."""

COMMON: Final[frozenset[str]] = frozenset(
    """
    able above across add after again against air almost alone along already also always am among animal animals
    another answer anything around ask asked away back became because become before began behind being believe below
    best better between beyond big bird black blue body book both box boy boys bring brought business call called
    came can't car care carry certain change child children city clear close cold coming company couldn't country
    course cry cut dark day days dead death didn't different does doesn't dog done door down during early earth east
    easy eat eight either else end enough even ever every everyone everything example eye eyes face fact fall family
    far farm fast father feel feet fell felt few find fine fire first fish five food form found four free friend
    friends front full game gave general getting girl girls give given gives going gone good got great green ground
    group grow half hand hands happened hard having he's head hear heard help here herself high himself hold home
    hope hot hour hours house however human hundred i'll i'm i've idea important inside isn't it'll itself keep kept
    kind king knew knows land large last later law learn leave left less let let's letter letters life light line
    list little live lived lives long looked looking looks lost lot love making man mark matter mean men might mile
    miles minute minutes moment money morning most mother mountain move mr mrs much music must myself name near need
    needed needs never new next night nine nor north nothing number off often oh old once open order others our
    outside own page paper parents part past pay perhaps person picture place plant plants play point power present
    problem put question quite rather read ready really reason red rest right river road room run same saw say says
    school sea second seem seemed seen sense sentence set seven several shall she's short should show side simple
    since sir sit six sleep small someone something sometimes son song soon sound south stand start state stay still
    stood stop stopped story street strong study such suddenly sun sure system table taken taking talk tell ten
    that'll that's themselves they're thing things think third those though thought three through thus times today
    together told too took toward town tree trees tried true try trying turn turned under understand until upon us
    use used usually view voice wait walk want wanted war wasn't watch water we're week weeks well went west where
    whether while white whole why wife wind window wish within without woman women won't wood word words work worked
    working works world wouldn't write wrong year years yes yet you're young yourself
    """.split()
)
"""The next few hundred words by frequency; shares no word with MOST_COMMON."""

FAMILIAR: Final[frozenset[str]] = frozenset(
    """
    accident ache act acted action actor actually added adding address adult adventure adventures afraid afternoon
    age ago agree agreed agrees ahead airplane airport alarm alive allow allowed alphabet amazed amazing angel anger
    angry ankle annoyed answered answering answers ant ants anybody anymore anyone anyway anywhere apart apple
    apples apron area aren't arm arms army arrive arrived arrow arrows art artist ashamed aside asking asks asleep
    ate attack attacked attic aunt aunts autumn awake awful babies baby backpack backward backyard bacon bad badly
    bag bags bake baked baker bakery baking ball balloon balloons balls banana bananas band bandage bang bank bar
    bark barked barking barn base baseball basket basketball baskets bat bath bathroom bathtub bats battle beach
    beaches bead beads beak bean beans bear beard bears beast beat beautiful beauty beaver becomes becoming bed
    bedroom beds bedtime bee beef bees beetle beg begged begin beginning begins begun behave belief believed belong
    belongs belt bench bend bent berries berry beside besides bet bicycle bigger biggest bike bikes bill birds birth
    birthday birthdays bit bite bites biting bits bitten bitter blame blanket blankets blew blind block blocks blood
    blow blowing blown board boat boats bodies boil boiled bone bones books boot boots bored boring born borrow
    borrowed boss bossy bottle bottles bottom bought bounce bounced bow bowl bowls boxes brain branch branches brave
    bravely bread break breakfast breakfasts breaking breaks breath breathe breathing breeze brick bricks bride
    bridge bridges bright brighter brightly bringing brings broke broken broom brother brothers brown brush brushed
    bubble bubbles bucket buddy bug bugs build builder building buildings builds built bull bully bump bumped bunch
    bunnies bunny buried burn burned burning burst bury bus buses bush bushes busy butter butterflies butterfly
    button buttons buy buying buys buzz buzzed cabbage cabin cage cake cakes calendar calf calling calls calm camel
    camera camp camping candle candles candy cannot cap cape captain card cards careful carefully careless caring
    carpet carried carries carrot carrots carrying cars cart cartoon case castle castles cat catch catches catching
    caterpillar cats caught cause cave caves ceiling celebrate celebrated cent center cents century cereal chain
    chair chairs chalk chance chances changed changes changing chase chased chasing chat cheap cheat check checked
    checking cheek cheeks cheer cheered cheerful cheese cherry chest chew chewed chick chicken chickens chief
    chimney chin chip chips chocolate choice choose chooses chose chosen church circle circles circus cities clap
    clapped clapping class classes classroom claw claws clay clean cleaned cleaning cleared clearly clever cliff
    climb climbed climbing clock clocks closed closely closer closes closet closing cloth clothes clothing cloud
    clouds cloudy clown club clue clues coach coat coats cocoa coffee coin coins colder coldest collect collected
    collection color colored colorful colors colour comb comes comfort comfortable comic common complete completely
    computer computers confused contest continue continued cook cooked cookie cookies cooking cool copy corn corner
    corners correct cost costume cotton couch cough count counted counter counting couple courage cousin cousins
    cover covered covers cow cowboy cows cozy crab crack cracked cradle crash crashed crawl crawled crayon crayons
    crazy cream create created creature creatures creep crept cried cries crocodile crops cross crossed crossing
    crow crowd crowded crowds crown cruel crumbs crunchy crying cub cup cupboard cupcake cups curious curly curtain
    curtains cute cutting dad daddy daily damage dance danced dancer dances dancing danger dangerous dare darker
    darkness darling date daughter daughters dawn deaf deal dear decide decided decides deciding deep deeper deeply
    deer definitely delicious delight delighted dentist described desert desk dessert die died dies difficult dig
    digging dinner dinners dinosaur dinosaurs dirt dirty disappear disappeared disappointed discover discovered dish
    dishes dive divide doctor doctors dogs doing doll dollar dollars dolls dolphin dolphins donkey doors dot dots
    double doubt dough dove downstairs dozen dragon dragons drank draw drawer drawing drawings drawn dream dreamed
    dreams dress dressed dresses drew dried drink drinking drinks drive driven driver drivers driving drop dropped
    dropping drove drown drum drums dry duck ducks dug dull dust dusty dying eagle ear earlier earn earned ears
    easier easiest easily easter eaten eating eats edge edges effort egg eggs eighteen eighth eighty electric
    elephant elephants elevator eleven elf elves empty ended ending ends enemies enemy energy engine engines english
    enjoy enjoyed enjoying enormous enter entered entire escape escaped especially evening event events everybody
    everywhere evil exactly exam except excited excitedly excitement exciting excuse expect expected expensive
    explain explained explore explored explorer exploring extra faces facts fail failed faint fair fairies fairy
    fake fallen falling falls false families famous fan fancy fans fantastic farmer farmers farms farther faster
    fastest fat fathers fault favorite favourite fear feast feather feathers fed feed feeding feeling feelings feels
    fence fences fever field fields fifteen fifth fifty fight fighting fights fill filled filling film final finally
    finding finds finest finger fingers finish finished finishing fireman firemen fires fishing fist fit fits fix
    fixed fixes fixing flag flags flame flames flap flash flashlight flat flavor flew flies float floated floating
    flood floor floors flour flow flower flowers flown flu fluffy fly flying fog folded folks follow followed
    following fool foolish foot football force forest forests forever forget forgets forgetting forgive forgot
    forgotten fork forty forward fought fountain fourteen fourth fox foxes freedom freeze fresh friday fridge fried
    friendly friendship frighten frightened frog frogs frost frown frowned froze frozen fruit fruits fun funny fur
    furniture furry future fuzzy games garage garbage garden gardens gas gate gates gather gathered gathering geese
    generous gentle gentleman gently gets ghost ghosts giant giants gift gifts giggle giggled giggling giraffe
    giving glad glass glasses glove gloves glow glowing glue goal goat goats god goes gold golden goldfish goodbye
    goods goose gotten government grab grabbed grade grader grain grandfather grandfathers grandma grandmother
    grandmothers grandpa grandparents grape grapes grass grateful grave gray greater greatest greedy greet greeted
    grew grey grin grinned grocery groups growing grown grows grumpy guard guess guessed guest guests guide guilty
    guitar gum gun guns guy guys habit hadn't hair haircut hairy hall halloween halves ham hammer hammers hamster
    handed handle handsome handy hang hanging happen happening happens happier happiest happily happiness happy
    harder hardest hardly harm hasn't hat hatch hate hated hats haven't hay he'd he'll heads health healthy hearing
    hears heart hearts heat heaven heavy heel height held helicopter hello helmet helped helper helpful helping
    helps hen hens herd here's hero heroes hers hey hi hid hidden hide hiding higher highest highway hike hill hills
    hint hippo hire history hit hits hitting hive hobby holding holds hole holes holiday holidays hollow holy homes
    homework honest honey honk hood hook hop hoped hopes hoping hopped hopping horn horrible horse horses hose
    hospital hotel hotter hottest houses hug huge hugged hugging hugs hundreds hung hungry hunt hunter hunting
    hurried hurry hurrying hurt hurting hurts husband husbands hut i'd ice icy ideas ignored ill imagination imagine
    immediately impossible inch inches indeed indoors information ink insect insects instead interested interesting
    invent invented invitation invite invited iron island islands itch jacket jail jam jar jaw jealous jeans jelly
    jellyfish jet jewel jewels job jobs join joined joining joke jokes jolly journey joy judge juice juicy july jump
    jumped jumping jumps june jungle junk kangaroo keeper keeping keeps kettle key keys kick kicked kicking kid kids
    kill killed kindly kindness kinds kingdom kings kiss kissed kissing kitchen kite kites kitten kittens knee knees
    knife knight knights knit knives knock knocked knot knowing known ladder ladies lady ladybug laid lake lakes
    lamb lambs lamp lamps landed landing lane language languages lap larger largest lasted late latest laugh laughed
    laughing laughs laughter laundry lawn lay laying lazy lead leader leaders leading leaf leap leaped learned
    learning learns least leather leaves leaving led leg legs lemon lemonade lend length lesson lessons lets letting
    level library lick licked lid lie lied lies lift lifted lighter lightning lights liked likely likes limit lines
    lion lions lip lips listen listened listening lists lit living lizard load loaf loaves lobster lock locked log
    logs lonely longer longest loose lose loses losing lots loud louder loudly loved lovely loves loving low lower
    luck luckily lucky lunch lunchbox lunches lying machine machines mad magic magical magician magnet maid mail
    mailbox mailman main makes mall mama manners map maple maps marble marbles march marched market married marry
    marrying mask master mat match matches math maybe mayor maze meadow meal meals meaning means meant meanwhile
    measure meat medal medicine meet meeting meets melt melted member memories memory mermaid merry mess message
    messy met metal mice middle midnight mighty milk million millions mind mine mirror miss missed missing mist
    mistake mistakes mitten mittens mix mixed mixing mom moments mommy monday monkey monkeys monster monsters month
    months mood moon moonlight mop mornings moth mothers mountains mouse mouth mouths moved moves movie movies
    moving mud muddy mug mum mummy museum mushroom mushrooms mustn't mystery nail nails named names nap napkin
    narrow nasty nation natural nature naughty nearby nearly neat necessary neck necklace needing needle neighbor
    neighborhood neighbors neighbour neither nervous nest nests net newer newest news newspaper newspapers nice
    nicely nicer nights nineteen ninety ninth nobody nod nodded nodding noise noises noisy none nonsense noon normal
    nose noses note notebook notes notice noticed notices november nowhere numbers nurse nurses nut nuts obey ocean
    oceans october octopus odd offer offered office officer offices oil ok okay older oldest ones onion onto opened
    opening opens opinion orange oranges ordered orders otherwise ours ourselves outdoors oven owl owls owned owner
    owners pack package packed pages paid pain paint painted painter painting paintings paints pair pairs pajamas
    palace pale palm pan pancake pancakes panda pants papa papers parade parent park parked parks parrot parties
    parts party pass passed passing pasta paste pat path paths patient patiently pattern paw paws paying pea peace
    peaceful peach peanut pear peas pebble peek peeked pen pencil pencils penguin penguins pennies penny pens pepper
    perfect perfectly pet pets phone phones photo photos piano pick picked picking picnic pictures pie piece pieces
    pies pig pigs pile piles pillow pillows pilot pin pine pink pipe pirate pirates pizza placed places plain plan
    plane planes planet planets planned planning plans planted planting plate plates played player players playful
    playground playing plays pleasant please pleased plenty plum plus pocket pockets poem pointed pointing points
    pole police policeman policemen polite politely pond pony pool poor pop popcorn popped popular possible post pot
    potato potatoes pots pound pounds pour poured pouring powder powerful practice practiced pray prayer prepare
    prepared presents president presidents press pretend pretended pretty price prices prince princes princess
    princesses print prison private prize prizes probably problems program promise promised promises protect proud
    proudly prove public pudding puddle puddles puff pull pulled pulling pumpkin punch punish punished pupil puppet
    puppies puppy pure purple purse push pushed pushing puts putting puzzle puzzles quarter queen queens questions
    quick quickly quiet quietly quit rabbit rabbits raccoon race raced races racing radio rain rainbow rained
    raining rains rainy raise raised ran rang rare rat rats raw ray reach reached reaching reader reading reads real
    realize realized reasons receive received recess recipe record refused remain remember remembered remembering
    remind reminded remove repair repeat replied reply report rescue rescued restaurant rested resting result return
    returned returning reward ribbon rice rich ride rides riding ring rings ripe rise rising rivers roads roar
    roared roast robot robots rock rocket rockets rocks rode roll rolled rolling roof roofs rooms rooster root roots
    rope ropes rose roses rotten rough round row rows royal rub rubbed rubber rude rug ruin ruined rule ruler rules
    running runs rush rushed rushing rusty sad sadly sadness safe safely safety sail sailed sailing sailor sailors
    salad salt salty sand sandbox sandwich sandwiches sandy sang santa sat saturday sauce save saved saving saying
    scare scarecrow scared scarf scary schools science scientist scissors score scratch scratched scream screamed
    screen search searched searching seashell season seat seats secret secrets seed seeds seeing seek seems sees
    selfish sell selling send sends sent september serious serve served setting settle seventeen seventh seventy
    shade shadow shadows shake shaken shaking shape shapes share shared sharing shark sharks sharp she'd she'll
    sheep sheet sheets shelf shell shells shelves shine shining shiny ship ships shirt shirts shock shoe shoes shone
    shook shop shopping shops shore shorter shortest shot shoulder shoulders shouldn't shout shouted shouting shovel
    showed shower showing shown shows shut shy sick sides sight sign signs silence silent silk silly silver sing
    singer singers singing single sings sink sister sisters sits sitting sixteen sixth sixty size skate skates skies
    skill skin skinny skip skipped skirt skunk sky sled sleeping sleeps sleepy sleeve slept slice slid slide slides
    sliding slip slipped slippers slippery slow slower slowly smaller smallest smart smash smell smelled smells
    smelly smile smiled smiles smiling smoke smooth snack snacks snail snake snakes snap sneak sneaky sneeze sneezed
    sniff sniffed snow snowball snowflake snowman snowy soap soccer sock socks sofa soft softly soil sold soldier
    soldiers solve solved somebody somehow somewhere songs sons sore sorry sort soul sounded sounds soup sour space
    spaceship spark sparkle sparkling sparkly sparrow speak speaking special speech speed spell spells spend
    spending spent spicy spider spiders spill spilled spin spinning spirit splash splashed splashing spoke spoken
    spoon spoons sport sports spot spots spread spring sprinkle square squares squeak squeeze squeezed squirrel
    squirrels stage stairs stamp standing stands star stare stared starfish staring stars started starting starts
    station statue stayed staying stays steal stealing steam stem step stepped steps stick sticker stickers sticking
    sticks sticky stiff sting stir stirred stole stolen stomach stone stones stool stopping stops store stores
    stories storm storms stormy stove straight strange stranger strangers straw strawberries strawberry stream
    streets strength stretch stretched strict string strings stripe striped stripes stronger strongest struck stuck
    student students stuff stupid subway sudden sugar suggested suit suitcase summer summers sunday sunflower
    sunlight sunny sunrise sunset sunshine supper support suppose surely surprise surprised surprises swallow
    swallowed swam swan sweater sweep sweet sweets swept swim swimming swing swinging swings sword swords tables
    tail tails takes tale tales talked talking talks tall taller tallest tame tap tape taste tasted tastes tasty
    taught taxi tea teach teacher teachers teaching team teams tear tearing tears tease teased teddy teeth telephone
    television telling tells tent tenth tents terrible test tests thank thanked thankful thanks theirs there's
    therefore they'd they'll they've thick thief thieves thin thinking thinks thirsty thirteen thirty thoughts
    thousand thousands thread threw throat throne throw throwing thrown throws thumb thunder thursday ticket tickets
    tickle tide tie tied tiger tigers tight tightly till tin tiny tip tiptoe tire tired title toad toast toe toes
    toilet tomato tomatoes tomorrow tongue tonight tool tools tooth toothbrush top tops tore torn touch touched
    touching tough towards towel tower towers towns toy toys track tracks tractor trade trail train trained trains
    trap trapped trash travel traveled traveler traveling treasure treasures treat treated treats triangle trick
    tricks tricky tries trip trips trouble truck trucks truly trumpet trust truth tub tube tuesday tulip tummy
    tunnel turkey turning turns turtle turtles twelve twenty twice twin twins twist type ugly umbrella unable uncle
    underground underneath understanding understood underwater unfair unhappy unicorn uniform unless unlucky upset
    upside upstairs useful useless uses using vacation valley van vanished vase vegetable vegetables vest village
    villages violin visit visited visiting visitor visitors visits voices volcano vote wagon waist waited waiting
    waits wake wakes waking walked walking walks wall walls wander wandered wanting wants warm warmer warmth warn
    warned wash washed washing waste watched watches watching waterfall watermelon waters wave waved waves waving
    wax ways we'd we'll we've weak wear wearing wears weather web wedding wednesday weed weeds weekend weigh weight
    weird welcome weren't wet whale whales what's whatever wheat wheel wheels whenever where's wherever whisper
    whispered whispering whispers whistle whistled who's whoever whom whose wicked wide wider wild win winding
    windows windy wing wings wink winner winning wins winter winters wipe wiped wire wise wished wishes wishing
    witch witches wives wizard woke wolf wolves won wonder wondered wonderful wondering wooden woods wool wore
    worker workers worlds worm worms worn worried worries worry worrying worse worst worth wound wow wrap wrapped
    wrist writer writers writes writing written wrote yard yarn yawn yawned yell yelled yelling yellow yesterday
    you'd you'll you've younger youngest yours yourselves yum yummy zebra zero zip zipper zoo
    """.split()
)
"""Words beyond those that a ten-year-old knows well; a word outside all three bands counts as rare."""
