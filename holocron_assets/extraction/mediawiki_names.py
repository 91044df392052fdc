"""The words of MediaWiki's larger languages for namespaces and redirects: data only, in casefolded form.

Pages say them in the wiki's own language and, always allowed, in English.
"""

CATEGORY_NAMESPACES = frozenset(
    "category catégorie categoría categoria categorie kategorie kategori kategoria kategória kategorija luokka"
    " категория категорія קטגוריה تصنيف رده カテゴリ 분류 分类 分類".split()
)

FILE_NAMESPACES = frozenset(
    "file image media datei bild fichier archivo imagen ficheiro imagem immagine bestand afbeelding plik grafika fil"
    " tiedosto kuva soubor súbor fájl kép dosya файл изображение зображення קובץ תמונה ملف صورة پرونده تصویر"
    " ファイル 画像 파일 그림 文件 檔案 图像".split()
)

TEMPLATE_NAMESPACES = frozenset(
    "template vorlage modèle plantilla predefinição sjabloon szablon mall mal skabelon malline šablona šablóna sablon"
    " şablon шаблон תבנית قالب الگو テンプレート 틀 模板 样板".split()
)

#: words after the `#` that makes a page a redirect
REDIRECT_WORDS = frozenset(
    "redirect weiterleitung redirection redirección redirecciona rinvia redirecionamento doorverwijzing patrz"
    " przekieruj tam omdirigering omdiriger ohjaus uudelleenohjaus přesměruj presmeruj átirányítás"
    " перенаправление перенапр перенаправлення הפניה تحويل تغییر_مسیر 転送 リダイレクト 넘겨주기"
    " 重定向 重新導向".split()
)

#: words that make a file shown in a frame, with its caption below
FRAME_WORDS = frozenset(
    "thumb thumbnail frame framed mini miniatur gerahmt vignette cadre miniatura miniaturadeimagen marco miniatyr"
    " miniatuur омкадрено мини миниатюра обрамить サムネイル フレーム 섬네일 缩略图 縮圖 ממוזער تصغير بندانگشتی".split()
)

#: words that only place a file on the page
PLACEMENT_WORDS = frozenset(
    "left right center centre none border baseline middle top bottom sub super text-top text-bottom upright"
    " links rechts zentriert ohne rand hochkant gauche droite centré néant redresse izquierda derecha centro no borde"
    " esquerda direita sinistra destra слева справа центр без граница".split()
)
