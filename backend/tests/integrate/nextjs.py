"""The sample for Next.js: built, started, and its page used in a browser."""

import os
import shutil
import subprocess
import urllib.error

from browser import browser
from programs import HOME
from report import check

# create-next-app makes it, and the sample leaves it as it is.
LAYOUT = """export default function RootLayout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
"""
NEXT = HOME / "node_modules/next/dist/bin/next"
START = ("node", NEXT, "start", "--port", "PORT")


def build(samples):
    home = HOME / "next"
    shutil.rmtree(home / "app", ignore_errors=True)
    files = {
        "app/layout.js": LAYOUT,
        "app/page.js": samples["next-page"],
        "app/api/otp/send/route.js": samples["next-send"],
        "app/api/otp/verify/route.js": samples["next-verify"],
        "package.json": '{"private": true}',
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    built = subprocess.run(
        ["node", NEXT, "build"],
        cwd=home,
        env={**os.environ, "NEXT_TELEMETRY_DISABLED": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    check("Next.js builds", built.returncode == 0, built.stdout + built.stderr)
    return home


def check_page(address, number, newest_code):
    """The page as a person uses it."""
    with browser() as page:
        page.open(address)
        page.type("//label[contains(., 'Phone number')]/input", number)
        page.click("//button")
        page.find("//label[contains(., 'Code')]/input")
        otp = newest_code(number)
        wrong = f"{(int(otp) + 1) % 10 ** len(otp):0{len(otp)}}"
        for typed, said in ((wrong, "wrong"), (otp, "verified")):
            page.type("//label[contains(., 'Code')]/input", typed)
            page.click("//button")
            try:
                page.find(f"//p[@role='status'][contains(., '{said}')]")
                check(f"Next.js: the page says {said}", True)
            except urllib.error.HTTPError as error:
                check(f"Next.js: the page says {said}", False, error.read().decode())
