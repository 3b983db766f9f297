"""Web pages that work offline, each one file.

- document.py, page.html, page.css, page.js: what all pages are made of; page.js switches languages, sorts tables and
  keeps settings in the address
- explorer.py, sweeps.py, explorer.html, explorer.js: the catalogue
- report.py: results of experiments

All figures are computed in Python; the scripts only move them about.
"""
