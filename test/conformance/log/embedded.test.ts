import { logConformance } from './suite.ts';

logConformance('embedded');
