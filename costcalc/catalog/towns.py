"""Towns, and parts of countries, by the grid that they are on: for hints, where no list has them.

Geography: a place is said with the country, state or zone whose figures stand for it.  Spelt as
:func:`costcalc.catalog.region_names.plain` compares names, with blanks for hyphens.
"""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOWNS = {
    "US-CA": "san francisco, bay area, silicon valley, san jose, los angeles, san diego, "
    "palo alto, mountain view, santa clara, berkeley, stanford, sacramento, caiso, fremont",
    "US-WA": "seattle, redmond, quincy, spokane",
    "US-OR": "the dalles, boardman, hillsboro, umatilla",
    "US-IL": "chicago, urbana, champaign",
    "US-TX": "dallas, austin, houston, san antonio, abilene, el paso, fort worth, ercot",
    "US-MA": "boston, worcester, holyoke",
    "US-NY": "new york city, nyc, manhattan, brooklyn, buffalo, nyiso",
    "US-DC": "washington dc, dc, washington d c",
    "US-VA": "northern virginia, loudoun, loudoun county, richmond",
    "US-GA": "atlanta",
    "US-PA": "philadelphia, pittsburgh",
    "US-CO": "denver, boulder",
    "US-TN": "memphis, oak ridge, nashville, knoxville",
    "US-IA": "council bluffs, des moines",
    "US-AZ": "phoenix, tucson, tempe",
    "US-UT": "salt lake city",
    "US-NV": "las vegas, reno",
    "US-NC": "raleigh, charlotte, chapel hill",
    "US-MI": "detroit, ann arbor",
    "US-MN": "minneapolis",
    "US-NJ": "princeton",
    "US-FL": "miami, orlando, gainesville",
    "US-OH": "cincinnati, cleveland",
    "US-WI": "madison, milwaukee",
    "US-MO": "kansas city, st louis",
    "US-NM": "los alamos, albuquerque",
    "CA-BC": "vancouver, burnaby",
    "CA-ON": "ottawa, waterloo",
    "CA-QC": "quebec city, beauharnois",
    "CA-AB": "edmonton, calgary",
    "MX": "mexico city, monterrey, guadalajara",
    "BR": "sao paulo, rio, rio de janeiro, campinas",
    "CL": "santiago",
    "AR": "buenos aires",
    "CO": "bogota",
    "DE": "bavaria, bayern, munich, munchen, hesse, hessen, baden wurttemberg, saxony, sachsen, "
    "north rhine westphalia, nordrhein westfalen, nrw, lower saxony, niedersachsen, hamburg, "
    "cologne, koln, dusseldorf, stuttgart, leipzig, dresden, julich, juelich, karlsruhe, tubingen, "
    "heidelberg, garching, falkenstein, nuremberg, nurnberg, brandenburg, freiburg, aachen, bonn, "
    "darmstadt, mannheim, gottingen, thuringia, thuringen, rhineland palatinate, rheinland pfalz",
    "FR": "ile de france, grenoble, lyon, toulouse, strasbourg, lille, rennes, gravelines, "
    "roubaix, auvergne rhone alpes, occitanie, bretagne, brittany, normandy, normandie, "
    "montpellier, nantes, bordeaux, nice, saclay, orsay, provence, alsace",
    "GB": "manchester, oxford, edinburgh, bristol, slough, birmingham, glasgow, sheffield, leeds, "
    "newport, belfast",
    "IE": "cork, galway",
    "IT-NO": "lombardy, lombardia, turin, torino, piedmont, piemonte, bologna, veneto, genoa, "
    "emilia romagna, venice, trento",
    "IT-CNO": "tuscany, toscana, florence, firenze, pisa",
    "IT-CSO": "rome, roma, lazio, naples, napoli",
    "ES": "catalonia, catalunya, barcelona, aragon, zaragoza, andalusia, valencia, bilbao, "
    "basque country",
    "NL": "noord holland, eindhoven, groningen, eemshaven, rotterdam, delft, utrecht, the hague",
    "BE": "brussels, ghent, leuven, flanders, antwerp, st ghislain",
    "LU": "bissen",
    "CH": "lugano, lausanne, basel, bern",
    "AT": "vienna, wien, graz, linz",
    "SE-SE1": "lulea, boden, kiruna",
    "SE-SE2": "umea, sundsvall",
    "SE-SE3": "gothenburg, goteborg, linkoping, uppsala, falun",
    "SE-SE4": "malmo, lund",
    "NO-NO1": "hamar",
    "NO-NO2": "kristiansand, rjukan",
    "NO-NO3": "trondheim",
    "NO-NO4": "tromso, narvik, bodo",
    "NO-NO5": "bergen",
    "DK-DK1": "aarhus, odense, aalborg, fredericia",
    "DK-DK2": "kobenhavn",
    "FI": "kajaani, espoo, tampere, hamina, oulu, mantsala",
    "IS": "reykjavik, keflavik, blonduos",
    "EE": "tallinn, tartu",
    "PL": "krakow, gdansk, poznan",
    "CZ": "prague, brno, ostrava",
    "HU": "budapest",
    "RO": "bucharest",
    "BG": "sofia",
    "GR": "athens",
    "PT": "lisbon, lisboa, porto, sines",
    "TR": "istanbul, ankara",
    "IL": "tel aviv, haifa, jerusalem",
    "AE": "dubai, abu dhabi",
    "SA": "riyadh, jeddah, thuwal, neom",
    "EG": "cairo",
    "KE": "nairobi",
    "NG": "lagos",
    "ZA": "cape town",
    "IN-WE": "maharashtra, gujarat, pune, ahmedabad, navi mumbai",
    "IN-NO": "delhi, new delhi, noida, gurgaon, gurugram, uttar pradesh, rajasthan, punjab",
    "IN-SO": "bangalore, bengaluru, karnataka, tamil nadu, telangana, kerala, andhra pradesh",
    "IN-EA": "kolkata, west bengal, odisha, bihar",
    "CN-ZJ": "hangzhou",
    "CN-GD": "shenzhen, guangzhou",
    "CN-JS": "wuxi, nanjing, suzhou",
    "CN-SC": "chengdu",
    "CN-HB": "wuhan",
    "CN-SN": "xian, xi an",
    "CN-AH": "hefei",
    "CN-GZ": "guiyang, guian",
    "CN-NM": "hohhot, ulanqab",
    "CN-NX": "zhongwei",
    "JP-KN": "kyoto, kobe, nara",
    "JP-TK": "kanto, yokohama, tsukuba, kashiwa, inzai, chiba",
    "JP-CB": "nagoya",
    "JP-KY": "fukuoka",
    "JP-HKD": "sapporo, ishikari",
    "JP-TH": "sendai",
    "KR": "pangyo, daejeon, gwangju",
    "TW": "taipei, hsinchu, taichung, changhua",
    "MY": "johor, kuala lumpur",
    "TH": "bangkok",
    "VN": "hanoi, ho chi minh city",
    "PH": "manila",
    "AU-QLD": "brisbane",
    "AU-WA": "perth",
    "AU-SA": "adelaide",
    "NZ": "auckland, wellington",
}
# Grids of several states or countries, and places that two have: the ones that may be meant.
_SEVERAL = {
    "northern ireland": "GB, IE",
    "cambridge": "GB, US-MA",
    "portland": "US-OR, US-ME",
    "birmingham": "GB, US-AL",
    "pjm": "US-VA, US-OH, US-PA",
    "miso": "US-IA, US-IL, US-MN",
    "spp": "US-KS, US-OK, US-NE",
    "iso ne": "US-MA, US-CT, US-NH",
    "new england": "US-MA, US-CT, US-NH",
    "midwest": "US-IL, US-IA, US-OH",
    "nordics": "SE, NO, FI, DK",
    "scandinavia": "SE, NO, DK",
    "benelux": "NL, BE, LU",
    "dach": "DE, AT, CH",
    "emea": "DE, GB, AE",
    "apac": "JP, SG, AU",
    "middle east": "AE, SA, IL",
    "latin america": "BR, CL, MX",
    "north america": "US, CA",
    "south america": "BR, CL",
}


@functools.cache
def _by_name() -> Mapping[str, tuple[str, ...]]:
    found = {name: tuple(codes.split(", ")) for name, codes in _SEVERAL.items()}
    for code, names in _TOWNS.items():
        for name in names.split(", "):
            found.setdefault(name, (code,))
    return MappingProxyType(found)


def grids_of(plain: str) -> tuple[str, ...]:
    """The grids of a town, or of a part of a country; empty if it is not listed.

    >>> grids_of("bavaria"), grids_of("ile-de-france"), grids_of("atlantis")
    (('DE',), ('FR',), ())
    """
    return _by_name().get(plain.replace("-", " "), ())
