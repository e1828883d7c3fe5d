"""A catalogue made up: food and books, in English, French, Spanish, Russian, Arabic, Chinese."""

from __future__ import annotations

import random

from tests.bench.sold import Sold

_FOOD = [
    "Apricot Jam",
    "Olive Oil",
    "Black Pepper",
    "Sea Salt",
    "Oat Biscuits",
    "Ginger Tea",
    "Dark Chocolate",
    "Peanut Butter",
    "Maple Syrup",
    "Sunflower Seeds",
    "Rice Noodles",
    "Tomato Paste",
    "Chickpeas",
    "Blue Cheese",
    "Smoked Salmon",
    "Granola Bar",
    "Honeycomb",
    "Shortbread",
    "Gingerbread",
    "Buttermilk",
    "Cornflakes",
    "Coconut Milk",
    "Soy Sauce",
    "Sourdough Crackers",
    "Marmalade",
    "Lemonade",
]
_HOW = [
    "Organic",
    "Fair-Trade",
    "Sugar-Free",
    "Gluten-Free",
    "Hand-Picked",
    "Extra Virgin",
    "Stone-Ground",
    "Slow-Roasted",
    "Unsalted",
    "Wholegrain",
    "Family Size",
    "Farmhouse",
    "Grandma's",
    "Winter",
    "Alpine",
]
_FRENCH = [
    "Confiture d'abricots",
    "Huile d'olive",
    "Crème brûlée",
    "Pâté de campagne",
    "Moutarde à l'ancienne",
    "Thé à la menthe",
    "Gâteau aux noix",
    "Bûche de chèvre",
    "Pain d'épices",
    "Sirop d'érable",
    "Cœur d'artichaut",
    "Sel de Guérande",
]
_FRENCH_HOW = [
    "maison",
    "bio",
    "fermier",
    "sans sucre",
    "de Provence",
    "artisanal",
    "doux",
    "épicé",
    "entier",
    "léger",
]
_SPANISH = [
    "Jamón serrano",
    "Aceite de oliva",
    "Turrón de almendra",
    "Queso manchego",
    "Piñones tostados",
    "Membrillo casero",
    "Café molido",
]
_SPANISH_HOW = ["ecológico", "extra", "de la montaña", "sin azúcar", "curado", "artesano", "suave", "añejo"]
_RUSSIAN = [
    "Гречневый мёд",
    "Чёрный чай",
    "Овсяное печенье",
    "Малиновое варенье",
    "Кедровые орехи",
    "Солёные огурцы",
]
_RUSSIAN_HOW = [
    "домашний",
    "сибирский",
    "отборный",
    "без сахара",
    "натуральный",
    "подарочный",
    "классический",
    "летний",
]
_ARABIC = ["زيت زيتون", "تمر مجدول", "قهوة عربية", "عسل جبلي", "شاي بالنعناع", "حلاوة طحينية"]
_ARABIC_HOW = ["عضوي", "فاخر", "بلدي", "طازج", "خالص", "ممتاز"]
_CHINESE = ["龙井茶叶", "四川花椒", "手工面条", "桂花蜂蜜", "黑芝麻糊", "绍兴黄酒"]
_CHINESE_HOW = ["礼盒装", "家庭装", "特级", "有机", "传统", "低糖"]
_SIZES = ["250 g", "500g", "1 kg", "1.5 kg", "750ml", "1 L", "330 ml", "6 x 100 g", "0.5 l", "12 oz"]
_SUBJECTS = [
    "Bread",
    "Cheese",
    "Tea",
    "Wine",
    "Spices",
    "Preserving",
    "Chocolate",
    "Gardens",
    "Mushrooms",
    "Honey",
    "Noodles",
    "Street Food",
    "Fermentation",
]
_BOOKS = [
    "The Art of {}",
    "A Short History of {}",
    "{} for Beginners",
    "The Complete {} Handbook",
    "{}: A Field Guide",
    "Understanding {}",
    "The Little Book of {}",
    "Mastering {}",
    "Letters on {}",
]
_AUTHORS = [
    "O'Brien",
    "García Márquez",
    "Søndergaard",
    "Wójcik",
    "Nguyễn",
    "MacAllister",
    "Dubois-Lefèvre",
    "Kowalska",
    "Abernathy",
    "Okonkwo",
]


def delicatessen(size: int, *, seed: int) -> list[Sold]:
    """So many products, none of a title that another has; SKUs are letters with numbers, ISBNs for books."""
    chance = random.Random(seed)
    made: dict[str, Sold] = {}
    while len(made) < size:
        kind, number = chance.random(), len(made)
        if kind < 0.45:
            how = chance.sample(_HOW, 2)
            title = f"{' '.join(how)} {chance.choice(_FOOD)} {chance.choice(_SIZES)}"
            sold = _food(f"FD{number:05}-{chance.choice('ABCD')}", title, "Food > Pantry", chance)
        elif kind < 0.7:
            title = f"{chance.choice(_BOOKS).format(chance.choice(_SUBJECTS))}, {chance.choice(_AUTHORS)}"
            title = f"{title} ({chance.choice(['Paperback', 'Hardcover', '2nd Edition', '3rd Edition'])})"
            attributes = {"format": chance.choice(["print", "large print"])}
            sold = Sold(f"978-{number:06}", title, "Books > Food", "With 120 recipes.", attributes)
        else:
            things, hows, shelf, letters = chance.choice(
                (
                    (_FRENCH, _FRENCH_HOW, "Épicerie", "FR"),
                    (_SPANISH, _SPANISH_HOW, "Despensa", "ES"),
                    (_RUSSIAN, _RUSSIAN_HOW, "Продукты", "RU"),
                    (_ARABIC, _ARABIC_HOW, "بقالة", "AR"),
                    (_CHINESE, _CHINESE_HOW, "食品", "ZH"),
                )
            )
            title = f"{chance.choice(things)} {' '.join(chance.sample(hows, 2))} {chance.choice(_SIZES)}"
            sold = _food(f"{letters}.{number:05}", title, shelf, chance)
        made.setdefault(sold.title, sold)
    return list(made.values())


def _food(sku: str, title: str, category: str, chance: random.Random) -> Sold:
    about = f"{title}. Keep in a cool, dry place; goes well with {chance.choice(_FOOD).lower()}."
    return Sold(sku, title, category, about, {"origin": chance.choice(["Perú", "Türkiye", "Corse", "日本"])})
