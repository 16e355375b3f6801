"""The words that `tiny` knows from the start: those of captions, and those of instructions to come.

Words of instructions never occur in the captions of pretraining, but each has a token of its own, so that a method that
speaks to the backbone later learns a meaning for a word, not for a chain of letters.
"""

_GRAMMAR = """
a an the and or not no of in on at to from with without by for as is are was be been being has have had do
does did it its he she they them his her their this that these those there here where what which who whose
when how why if then than one both all every each any some none other another same different more most less
least many much few several only also very too up down out off over under above below between behind beyond
beside near next far left right top bottom middle centre center front back inside outside around along across
through towards away against first second third last upper lower upright upside
"""
_TASKS = """
segment segmentation mask masks detect detection box boxes bounding depth distance metric relative estimate
estimation predict find locate localise localize point points keypoint keypoints landmark landmarks joint
joints skeleton pose edge edges contour contours outline boundary classify classification class classes
category label name count number caption describe gaze look looks looking target heatmap map maps normal
normals surface flow correspondence correspond match matching track tracking compare show mark draw paint
colour color fill highlight remove keep add edit change replace restore denoise blur sharpen colorize
colourise dehaze derain inpaint super resolution clean background foreground scene image picture photo
photograph drawing rendering frame video view object objects subject thing stuff part parts region area pixel
pixels instance instances semantic panoptic person's nearest closest farthest largest smallest biggest yes
true false please answer question query reference example examples input output visible hidden occluded absent
present empty nothing
"""
_NUMBERS = """
zero two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred half quarter
double 0 1 2 3 4 5 6 7 8 9
"""
_LOOKS = """
red orange yellow green blue purple violet pink brown black white grey gray beige cyan magenta teal navy olive
maroon gold silver turquoise cream dark light bright pale deep vivid colourful plain striped spotted dotted
checked chequered patterned textured smooth rough shiny wooden metal metallic plastic glass brick stone
concrete tiled grassy sandy snowy wet dry big large small little tiny huge tall short long thin thick wide
narrow slim heavy young old new round square flat curved straight bent open closed clean dirty noisy dim sunny
cloudy foggy rainy night day morning evening indoor outdoor shadow shade lit lighting light
"""
_BODY = """
body head face hair nose eye eyes ear ears mouth lip lips chin cheek cheeks forehead neck throat shoulder
shoulders chest torso belly stomach waist spine hip hips arm arms elbow elbows forearm forearms wrist wrists
hand hands finger fingers thumb palm leg legs thigh thighs knee knees shin shins calf ankle ankles foot feet
heel toe toes skin tail tailbase snout muzzle paw paws hoof hooves horn horns antler antlers fur feather
feathers wing wings beak fin fins trunk mane stripe spot stripes spots claw whisker whiskers nape limb limbs
leftear rightear withers rump tip base start end
"""
_PEOPLE = """
person people man men woman women boy boys girl girls child children kid kids baby adult human humans player
rider driver worker dancer athlete crowd group pair couple friend figure someone nobody everybody stand stands
standing sit sits sitting walk walks walking run runs running jump jumps jumping lie lies lying crouch
crouches crouching kneel kneels kneeling bend bending lean leaning reach reaching wave waves waving raise
raises raised raising point pointing hold holds holding carry carrying throw throwing catch kick kicking ride
riding eat eating drink drinking play playing sleep sleeping dance dancing climb climbing turn turned turning
face facing wear wears wearing touch touching cross crossed stretch stretching grazing trotting galloping
shirt t-shirt trousers pants jeans shorts skirt dress coat jacket sweater hoodie vest suit tie hat cap helmet
scarf glove gloves shoe shoes boot boots sock socks sandal sandals belt glasses sunglasses bag clothes
clothing sleeve sleeves bald
"""
_ANIMALS = """
animal animals dog dogs puppy cat cats kitten horse horses pony cow cows bull calf sheep lamb goat pig pigs
deer elephant bear zebra giraffe lion tiger leopard cheetah wolf fox rabbit hare mouse mice rat rats hamster
squirrel monkey ape gorilla camel donkey llama alpaca moose buffalo rhino hippo kangaroo panda raccoon otter
beaver badger weasel bird birds duck goose swan chicken hen rooster turkey pigeon eagle owl parrot penguin
flamingo fish shark whale dolphin seal turtle tortoise frog snake lizard crocodile insect fly bee butterfly
spider ant worm larva snail crab octopus breed abyssinian beagle bengal birman bombay boxer chihuahua persian
pug ragdoll samoyed siamese sphynx terrier bulldog hound poodle retriever shepherd spaniel husky collie corgi
dalmatian
"""
_THINGS = """
bicycle bike car cars motorcycle motorbike airplane aeroplane plane bus train truck lorry van boat ship
traffic fire hydrant stop sign parking meter bench backpack umbrella handbag suitcase frisbee ski skis
snowboard sports ball kite baseball bat skateboard surfboard tennis racket bottle wine cup mug fork knife
spoon bowl plate banana apple sandwich broccoli carrot hot pizza donut cake bread food fruit chair couch sofa
potted plant plants bed dining table toilet tv monitor screen laptop computer remote keyboard cell phone
microwave oven toaster sink refrigerator fridge book books clock vase scissors teddy hair drier toothbrush
lamp shelf cupboard cabinet wardrobe desk stool armchair curtain curtains carpet rug pillow blanket mirror
painting poster window windows door doors wall walls floor ceiling stairs step roof house building tower
bridge fence gate road street path pavement sidewalk field grass lawn tree trees leaf leaves bush flower
flowers forest hill hills mountain mountains rock rocks sand beach sea lake river water sky cloud clouds sun
moon star snow ice rain ground earth soil garden park room kitchen bathroom bedroom bathtub shower basket
bucket barrel crate cage pole post pillar column pipe rope wire cable machine tool hammer toy doll balloon
flag block cube sphere cylinder cone pyramid triangle circle rectangle line lines stripe grid dots wallpaper
arena maze tank lever handle button wheel wheels furniture pattern texture horizon occluder letter number word
text paper pen pencil
"""
_PUNCTUATION = ". , ; : ? ! ' \" - ( ) / + = % # < > [ ]"

INSTRUCTION_WORDS: tuple[str, ...] = tuple(
    sorted(set(" ".join((_GRAMMAR, _TASKS, _NUMBERS, _LOOKS, _BODY, _PEOPLE, _ANIMALS, _THINGS, _PUNCTUATION)).split()))
)
